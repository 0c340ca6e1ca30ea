"""Arms against each other on what was locked away from both."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from harness import plugins
from harness.judge.comparison import Cell, ComparedTask, LockedPair, TrialCounts
from harness.judge.evidence import Evidence, Measure
from harness.judge.locked_pairs import pair_locked
from harness.judge.stats import bootstrap_difference, holm, mcnemar_exact
from harness.report import html, markdown
from harness.report import json as as_json
from tests.judge import made_up_tasks

ROWS = 200
TARGETS = np.arange(ROWS) % 2
TASK = ComparedTask(
    name="reviews",
    type="text-classification",
    modality="text",
    metric="accuracy",
    higher_is_better=True,
    bounds=(0.0, 1.0),
    folds=5,
    examples=1000,
    groups=None,
)


def measure_by(metric: str) -> dict[str, Measure | None]:
    target = plugins.find("targets", "values" if metric == "rmse" else "classes")
    return {"reviews": Measure(score=plugins.find("metrics", metric).score, target=target)}


def make_cell(arm: str, *wrong: range, groups: tuple[str, ...] | None = None, weight: float = 1.0) -> Cell:
    """Return an arm that decides the locked rows in `wrong` wrongly and all others rightly."""
    decided = TARGETS.copy()
    for rows in wrong:
        decided[rows] = 1 - decided[rows]
    weights = np.ones(ROWS)
    weights[0] = weight
    evidence = Evidence(
        ids=tuple(f"{row:03d}" for row in range(ROWS)),
        groups=groups,
        targets=TARGETS,
        weights=weights,
        predictions=(np.eye(2)[decided],),
        labels=("no", "yes"),
    )
    return Cell(
        study=arm,
        task="reviews",
        backbone="minilm",
        arm=arm,
        kind="arm",
        blocks=6,
        trials=TrialCounts(ok=1),
        score=0.9,
        test_score=float((decided == TARGETS).mean()),
        tested=evidence,
    )


def compare(*cells: Cell, task: ComparedTask = TASK) -> dict[tuple[str, str], LockedPair]:
    pairs = pair_locked(cells, {"reviews": task}, measure_by(task.metric))
    return {(pair.first, pair.second): pair for pair in pairs}


GOOD, FAIR, BAD = make_cell("good", range(10)), make_cell("fair", range(5, 27)), make_cell("bad", range(100))


def test_decided_classes_under_accuracy_are_compared_by_mcnemars_exact_test_and_holm() -> None:
    pairs = compare(GOOD, FAIR, BAD)
    raw = [mcnemar_exact(17, 5), mcnemar_exact(90, 0), mcnemar_exact(78, 0)]
    assert [pair.p for pair in pairs.values()] == pytest.approx(list(holm(raw)), rel=1e-12)
    assert {pair.method for pair in pairs.values()} == {"McNemar"}
    pair = pairs["good", "fair"]
    assert pair.difference == pytest.approx(12 / ROWS)
    assert pair.low < pair.difference < pair.high
    assert pair.winner == "good"
    assert pairs["fair", "bad"].winner == "fair"
    assert pair.sentence == (
        f"good is better than fair: +0.060 [{pair.low:+.3f}, {pair.high:+.3f}] accuracy, p = 0.017 "
        "(McNemar, exact, Holm over 3 pairs)"
    )


def test_the_sentence_names_the_better_arm_first_whichever_stands_first() -> None:
    pair = compare(BAD, GOOD)["bad", "good"]
    assert pair.difference == pytest.approx(-0.45)
    assert pair.winner == "good"
    assert pair.sentence.startswith("good is better than bad: +0.450 [+0.")
    assert pair.sentence.endswith("p < 0.001 (McNemar, exact)")
    same = compare(GOOD, replace(GOOD, arm="twin"))["good", "twin"]
    assert (same.difference, same.p, same.winner) == (0.0, 1.0, None)
    assert same.sentence == (
        "good and twin cannot be told apart: +0.000 [+0.000, +0.000] accuracy, p = 1.000 (McNemar, exact)"
    )


GROUPS = tuple(f"g{row // 4}" for row in range(ROWS))


@pytest.mark.parametrize(
    ("change", "metric"),
    [({"groups": GROUPS}, "accuracy"), ({"weight": 2.0}, "accuracy"), ({}, "macro-f1")],
    ids=["groups", "weights", "another metric"],
)
def test_groups_weights_and_other_metrics_are_compared_by_a_paired_bootstrap(
    change: dict[str, object], metric: str
) -> None:
    good, fair = make_cell("good", range(10), **change), make_cell("fair", range(5, 27), **change)
    task = replace(TASK, metric=metric, groups=50 if "groups" in change else None)
    (pair,) = compare(good, fair, task=task).values()
    assert pair.method == "paired bootstrap"
    assert ("over groups" if "groups" in change else "over examples") in pair.sentence
    assert good.tested is not None
    assert fair.tested is not None
    score, weights = plugins.find("metrics", metric).score, good.tested.weights
    found = bootstrap_difference(
        fair.tested.predictions[0],
        good.tested.predictions[0],
        TARGETS,
        lambda predictions, targets, counts: score(predictions, targets, counts * weights),
        bags=1000,
        groups=good.tested.groups,
    )
    assert (pair.difference, pair.low, pair.high, pair.p) == (
        found.difference,
        found.low,
        found.high,
        found.p,
    )


def test_examples_of_equal_content_are_drawn_as_one_and_are_still_called_examples() -> None:
    good, fair = make_cell("good", range(10), groups=GROUPS), make_cell("fair", range(5, 27), groups=GROUPS)
    (pair,) = compare(good, fair).values()
    assert pair.sentence.endswith("(paired bootstrap over examples, those of equal content as one)")


def test_without_the_metric_of_a_task_nothing_is_compared() -> None:
    assert pair_locked((GOOD, FAIR), {"reviews": TASK}, {"reviews": None}) == ()


def test_of_a_loss_the_lower_is_better() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=ROWS)

    def predict(arm: str, noise: float) -> Cell:
        cell = make_cell(arm)
        assert cell.tested is not None
        values = truth + noise * rng.normal(size=ROWS)
        return replace(cell, tested=replace(cell.tested, targets=truth, predictions=(values,), labels=()))

    task = replace(TASK, metric="rmse", higher_is_better=False, bounds=(0.0, math.inf))
    (pair,) = compare(predict("near", 0.1), predict("far", 1.0), task=task).values()
    assert (pair.winner, pair.method) == ("near", "paired bootstrap")
    assert 0 < pair.low < pair.difference < pair.high
    assert pair.difference == pytest.approx(0.9, abs=0.15)


def test_bags_suffice_for_the_pairs_of_many_arms() -> None:
    """Of 9 arms there are 36 pairs: after Holm a thousand bags could separate none of them."""
    cells = [make_cell(f"arm-{number}", range(number)) for number in range(8)]
    pairs = compare(*cells, BAD, task=replace(TASK, metric="macro-f1"))
    assert len(pairs) == 36
    assert pairs["arm-0", "bad"].winner == "arm-0"


def test_arms_without_an_open_test_or_with_other_examples_are_not_compared() -> None:
    closed = replace(FAIR, tested=None, test_score=None)
    assert compare(GOOD, closed) == {}
    assert GOOD.tested is not None
    other = replace(FAIR, tested=replace(GOOD.tested, ids=GOOD.tested.ids[::-1]))
    assert compare(GOOD, other) == {}
    assert compare(replace(GOOD, kind="baseline"), FAIR) == {}


def test_a_metric_that_is_undefined_there_compares_nothing() -> None:
    assert GOOD.tested is not None
    one_class = replace(GOOD.tested, targets=np.zeros(ROWS, dtype=int))
    cells = [replace(cell, tested=one_class) for cell in (GOOD, FAIR)]
    assert compare(*cells, task=replace(TASK, metric="auc")) == {}


def test_every_format_shows_the_pairs_and_says_by_which_test() -> None:
    comparison = made_up_tasks.compare_many(2)
    pairs = [pair for pair in comparison.locked_pairs if pair.task == "task-00"]
    assert len(pairs) == 6
    table = json.loads(as_json.render(comparison))
    seen = {
        (cell["arm"], pair["arm"]): pair
        for cell in table["cells"]
        if cell["task"] == "task-00"
        for pair in cell["test_pairwise"]
    }
    assert len(seen) == 12
    first = pairs[0]
    mine, yours = seen[first.first, first.second], seen[first.second, first.first]
    assert (mine["difference"], mine["low"], mine["high"]) == (first.difference, first.low, first.high)
    assert (yours["difference"], yours["low"], yours["high"]) == (-first.difference, -first.high, -first.low)
    assert mine["method"] == yours["method"] == "McNemar"
    assert mine["sentence"] in markdown.render(comparison).replace("\\", "")
    page = html.render(comparison)
    assert page.count('<td class="metric">McNemar</td>') == len(comparison.locked_pairs) == 12
