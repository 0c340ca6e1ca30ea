"""Tests over data sets: their figures, their power, and that names and orders change nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.judge.comparison import Ranking
from harness.judge.power import (
    count_needed,
    count_needed_by_wilcoxon,
    find_smallest_p,
    find_smallest_wilcoxon_p,
    has_power,
)
from harness.judge.ranking import Scored, rank_blocks
from harness.judge.ranking_test import examine_ranks
from harness.judge.standings import rank_scores
from harness.judge.stats import friedman
from harness.report import json as as_json

X = {
    "one": [0.85, 0.83, 0.80, 0.78],
    "two": [0.90, 0.91, 0.86, 0.85],
    "three": [0.70, 0.68, 0.69, 0.60],
    "four": [0.95, 0.94, 0.94, 0.90],
    "five": [0.60, 0.62, 0.55, 0.50],
    "six": [0.77, 0.75, 0.76, 0.70],
}
METHODS = "abcd"


def rank(rows: dict[str, list[float]], methods: str = METHODS, **options: bool) -> Ranking:
    return rank_scores({name: dict(zip(methods, row, strict=True)) for name, row in rows.items()}, **options)


def test_a_table_gets_every_figure_of_its_reference() -> None:
    ranking = rank(X)
    test = ranking.test
    assert test is not None
    assert test.methods == ("a", "b", "c", "d")
    assert test.mean_ranks == pytest.approx([8 / 6, 12.5 / 6, 15.5 / 6, 4.0])
    assert (test.chi2, test.p) == (pytest.approx(13.881355932203396), pytest.approx(0.0030711773960670585))
    assert (test.f, test.f_p) == (pytest.approx(16.851851851851887), pytest.approx(4.548592983771124e-05))
    assert test.cd == pytest.approx(1.9148432265902373)
    nemenyi = [0.745772, 0.335837, 0.001966, 0.908132, 0.049676, 0.227697]
    assert [pair.nemenyi_p for pair in test.pairs] == pytest.approx(nemenyi, abs=5e-7)
    assert [pair.wilcoxon_p for pair in test.pairs] == pytest.approx(
        [0.5, 0.03125, 0.03125, 0.3125, 0.03125, 0.03125]
    )
    assert [pair.holm_p for pair in test.pairs] == pytest.approx(
        [0.625, 0.1875, 0.1875, 0.625, 0.1875, 0.1875]
    )
    assert test.strengths == pytest.approx([1.47797526, 0.56577347, -0.00800273, -2.03574601], abs=1e-7)
    assert [(pair.wins, pair.ties, pair.losses) for pair in test.pairs] == [
        *((4, 0, 2), (6, 0, 0), (6, 0, 0), (3, 1, 2), (6, 0, 0), (6, 0, 0)),
    ]
    assert [(row.arm, row.wins, row.ties, row.losses) for row in ranking.rows] == [
        *(("a", 16, 0, 2), ("b", 11, 1, 6), ("c", 8, 1, 9), ("d", 0, 0, 18)),
    ]
    assert test.cliques == (("a", "b", "c"), ("c", "d"))
    assert (test.power, test.differ) == (True, True)
    assert test.sentences == (
        "Across 6 data sets the methods differ (Friedman 13.88, p = 0.003; Iman-Davenport F 16.85, p < 0.001). By "
        "Nemenyi, mean ranks 1.91 or more apart: a from d; b from d.",
        "No test of single pairs: with 6 data sets none of 6 could be significant (Wilcoxon, exact, after Holm "
        "p = 0.19 at best); 8 would do.",
    )


def test_scores_that_differ_by_noise_alone_are_tied() -> None:
    test = rank({"one": [0.3, 0.1 + 0.2], "two": [0.3, 0.3 + 1e-11]}, "ab").test
    assert test is not None
    assert [(pair.first, pair.wins, pair.ties, pair.losses) for pair in test.pairs] == [("b", 1, 1, 0)]


def test_of_errors_the_lower_ranks_first() -> None:
    upside_down = {name: [-score for score in row] for name, row in X.items()}
    assert rank(upside_down, lower_is_better=True) == rank(X)


def test_a_data_set_that_lacks_a_score_is_in_no_test() -> None:
    holed = {name: dict(zip(METHODS, row, strict=True)) for name, row in X.items()}
    holed["seven"] = {"a": 0.1, "b": 0.9, "c": 0.9}
    assert rank_scores(holed).test == rank(X).test


@pytest.mark.parametrize(
    ("methods", "needed", "by_wilcoxon"),
    [(2, 9, 6), (3, 7, 7), (4, 6, 8), (5, 6, 9), (8, 6, 11), (20, 6, 13)],
)
def test_how_many_data_sets_give_power(methods: int, needed: int, by_wilcoxon: int) -> None:
    assert (count_needed(methods), count_needed_by_wilcoxon(methods)) == (needed, by_wilcoxon)
    assert [has_power(datasets, methods) for datasets in (1, 2, needed - 1, needed, needed + 5)] == [
        *(False, False, False, True, True),
    ]


def test_the_smallest_p_is_that_of_complete_agreement() -> None:
    assert find_smallest_wilcoxon_p(6, 4) == 6 * 2 / 2**6
    assert find_smallest_wilcoxon_p(2, 8) == 1.0
    agreed = examine_ranks(np.array([[3.0, 2.0, 1.0]] * 3), "abc", words=("task", "arm"))
    assert find_smallest_p(3, 3) == agreed.pairs[1].nemenyi_p == pytest.approx(0.0380, abs=5e-5)


def test_without_power_one_data_set_decides_and_f_rejects_too_often() -> None:
    """Why three data sets of three methods are not tested: F is significant at 4.67, which chance gives in 19 %."""
    orders = [
        np.array(each, dtype=float)
        for each in ([1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1])
    ]
    rejected = [friedman([[1, 2, 3], second, third]).f_p < 0.05 for second in orders for third in orders]
    assert sum(rejected) / 36 == pytest.approx(7 / 36)


@pytest.mark.parametrize(("datasets", "methods"), [(9, 2), (7, 3), (6, 4), (6, 8)])
def test_where_there_is_power_a_null_is_rejected_about_as_often_as_said(datasets: int, methods: int) -> None:
    rng = np.random.default_rng(datasets * methods)
    words = ("data set", "method")
    names = [str(method) for method in range(methods)]
    drawn = [examine_ranks(rng.random((datasets, methods)), names, words=words) for _ in range(300)]
    assert 0.02 <= np.mean([test.differ for test in drawn]) <= 0.08
    assert np.mean([test.cliques != (test.methods,) for test in drawn]) <= 0.07


def test_with_two_tasks_nothing_could_be_significant_and_the_sentence_says_how_many_would_do() -> None:
    test = examine_ranks(np.array([[3.0, 2.0, 1.0]] * 2), "abc", words=("task", "arm"))
    assert (test.power, test.differ, test.cliques) == (False, False, (("a", "b", "c"),))
    assert test.sentences == (
        "No test across tasks: with 2 tasks and 3 arms nothing could be significant (p = 0.11 even if all agree); "
        "7 tasks would do.",
    )


def test_with_three_tasks_one_that_disagrees_undoes_it() -> None:
    test = examine_ranks(np.array([[3.0, 2.0, 1.0]] * 3), "abc", words=("task", "arm"))
    assert test.sentences == (
        "No test across tasks: with 3 tasks and 3 arms one task that disagrees would undo any result (p = 0.04 even "
        "if all agree); 7 tasks would do.",
    )


def test_where_nothing_differs_all_methods_are_one_clique() -> None:
    scores = np.array([[1.0, 2, 3], [2, 3, 1], [3, 1, 2]] * 4)
    test = examine_ranks(scores, "abc", words=("task", "arm"))
    assert (test.chi2, test.differ, test.cliques) == (0.0, False, (("a", "b", "c"),))
    assert test.sentences == (
        "Across 12 tasks no difference between the arms is seen (Friedman 0.00, p = 1.000; Iman-Davenport F 0.00, "
        "p = 1.000).",
    )


def test_complete_agreement_has_no_finite_f_and_no_nan_in_its_document() -> None:
    ranking = rank({f"d{number}": [4.0, 3.0, 2.0, 1.0] for number in range(8)})
    assert ranking.test is not None
    assert (ranking.test.f, ranking.test.f_p) == (None, 0.0)
    assert "Iman-Davenport F infinite, p < 0.001" in ranking.test.sentences[0]
    assert json.loads(as_json.render_ranking(ranking))["ranking_test"]["f"] is None
    alone = rank({"only": [4.0, 3.0, 2.0, 1.0]})
    document = json.loads(as_json.render_ranking(alone))["ranking_test"]
    assert (document["f_p"], document["differ"], document["power"]) == (None, False, False)


def test_backbones_of_one_task_count_as_one_data_set() -> None:
    """Four backbones of each of three tasks are not twelve data sets."""

    def block(order: list[float]) -> dict[str, Scored]:
        return {name: Scored.of(score, 1) for name, score in zip("abc", order, strict=True)}

    orders = {"t": [3.0, 2, 1], "u": [3.0, 1, 2], "v": [2.0, 3, 1]}
    blocks = {(task, backbone): block(order) for task, order in orders.items() for backbone in "wxyz"}
    ranking = rank_blocks(blocks, words=("task", "arm"))
    assert ranking.blocks == 12
    assert ranking.test is not None
    assert (ranking.test.datasets, ranking.test.power) == (3, False)
    alone = rank_blocks({(task, "w"): blocks[task, "w"] for task in orders}, words=("task", "arm"))
    assert ranking.test == alone.test

    many = {(f"task-{number}", backbone): block([3.0, 2, 1]) for number in range(8) for backbone in "wx"}
    test = rank_blocks(many, words=("task", "arm")).test
    assert test is not None
    assert test.sentences[0].endswith(" Tasks count once: ranks within one are averaged first.")


def test_ranks_within_a_task_are_averaged_before_they_are_tested() -> None:
    blocks = {
        ("t", "w"): {"a": Scored.of(3.0, 1), "b": Scored.of(2.0, 1), "c": Scored.of(1.0, 1)},
        ("t", "x"): {"a": Scored.of(1.0, 1), "b": Scored.of(3.0, 1), "c": Scored.of(2.0, 1)},
        ("u", "w"): {"a": Scored.of(3.0, 1), "b": Scored.of(2.0, 1), "c": Scored.of(1.0, 1)},
    }
    test = rank_blocks(blocks, words=("task", "arm")).test
    assert test is not None
    # Task t: ranks 1 2 3 and 3 1 2 average to 2 1.5 2.5, so b, a, c; task u: a, b, c.
    assert dict(zip(test.methods, test.mean_ranks, strict=True)) == {"a": 1.5, "b": 1.5, "c": 3.0}


def summarise(ranking: Ranking, names: dict[str, str]) -> object:
    """Return all figures of a ranking by the names that its methods had before, to nine digits."""

    def near(value: float | None) -> float | None:
        return None if value is None else round(value, 9)

    test = ranking.test
    assert test is not None
    rows = {
        names[row.arm]: (
            *map(near, (row.mean_rank, row.low, row.high, row.p_best)),
            row.tier,
            row.wins,
            row.losses,
        )
        for row in ranking.rows
    }
    pairs = {
        frozenset((names[pair.first], names[pair.second])): tuple(
            map(near, (pair.nemenyi_p, pair.wilcoxon_p, pair.holm_p, float(pair.ties)))
        )
        for pair in test.pairs
    }
    strengths = {
        names[each]: round(value, 7) for each, value in zip(test.methods, test.strengths, strict=True)
    }
    cliques = {frozenset(names[each] for each in clique) for clique in test.cliques}
    figures = tuple(map(near, (test.chi2, test.p, test.f, test.f_p, test.cd)))
    return rows, pairs, strengths, cliques, figures


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.data())
def test_names_and_orders_of_rows_and_columns_change_no_figure(data: st.DataObject) -> None:
    methods = data.draw(st.integers(2, 5))
    score = st.integers(0, 6).map(lambda tenths: tenths / 10)  # few values, so that many tie
    rows = data.draw(st.lists(st.lists(score, min_size=methods, max_size=methods), min_size=6, max_size=9))
    names = [f"m{place}" for place in range(methods)]
    order = data.draw(st.permutations(range(len(rows))))
    columns = data.draw(st.permutations(range(methods)))
    new = data.draw(st.permutations([f"z{place}" for place in range(methods)]))
    plain = rank_scores({f"d{place}": dict(zip(names, row, strict=True)) for place, row in enumerate(rows)})
    moved = rank_scores(
        {
            f"e{place}": {new[column]: rows[row][column] for column in columns}
            for place, row in enumerate(order)
        }
    )
    back = {new[place]: names[place] for place in range(methods)}
    assert summarise(moved, back) == summarise(plain, {name: name for name in names})


def test_pairs_stand_in_the_order_of_the_ranking() -> None:
    shuffled = {name: row[::-1] for name, row in X.items()}
    test = rank(shuffled, "dcba").test
    assert test is not None
    assert [(pair.first, pair.second) for pair in test.pairs] == list(combinations("abcd", 2))
    assert replace(test) == rank(X).test
