"""The arms of a block against each other, and what their bags answer."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from harness.judge.comparison import Bagged, Cell, ComparedTask, TrialCounts
from harness.judge.pairs import ROPE, find_rope, pair_cells
from harness.judge.ranking import Scored, rank_blocks
from harness.judge.stats import corrected_resampled_t, correlated_bayesian_t, holm
from harness.judge.verdicts import ask_how_deep, ask_whether_it_overfits, ask_whether_it_pays, reach_verdicts

TASK = ComparedTask(
    name="reviews",
    type="text-classification",
    modality="text",
    metric="accuracy",
    higher_is_better=True,
    bounds=(0.0, 1.0),
    folds=5,
    examples=500,
    groups=None,
)
BAGS = 200


def make_cell(
    arm: str, *folds: float, depth: int | None = 0, level: float = 0.7, noise: float = 0.01
) -> Cell:
    """Return an arm's cell whose bags lie around `level`; depth None makes it a baseline."""
    drawn = np.random.default_rng(len(arm)).normal(level, noise, size=(2, BAGS))
    bagged = Bagged(inside=drawn[0], outside=drawn[1], depth=np.full(BAGS, -1 if depth is None else depth))
    trains = depth is not None and depth < 6
    return Cell(
        study=arm,
        task="reviews",
        backbone="minilm",
        arm=arm,
        kind="baseline" if depth is None else "arm",
        blocks=6,
        trials=TrialCounts(ok=1),
        score=level,
        depth=depth,
        fold_scores=folds,
        fold_gaps=tuple(0.1 for _ in folds),
        bagged=bagged,
        frozen=None if trains else bagged,
        tuned=bagged if trains else None,
    )


GOOD, FAIR, BAD = (0.80, 0.82, 0.79, 0.85, 0.81), (0.79, 0.82, 0.80, 0.82, 0.79), (0.5, 0.51, 0.5, 0.52, 0.5)
CELLS = (make_cell("full", *GOOD), make_cell("depth", *FAIR), make_cell("head", *BAD))


def test_a_pair_is_the_corrected_test_of_its_folds_adjusted_for_all_pairs() -> None:
    pairs = {(pair.first, pair.second): pair for pair in pair_cells(CELLS, TASK)}
    tests = {
        names: corrected_resampled_t(np.subtract(*scores), test_over_train=1 / 4)
        for names, scores in {
            ("full", "depth"): (GOOD, FAIR),
            ("full", "head"): (GOOD, BAD),
            ("depth", "head"): (FAIR, BAD),
        }.items()
    }
    adjusted = dict(zip(tests, holm([test.p for test in tests.values()]), strict=True))
    for names, test in tests.items():
        assert (pairs[names].difference, pairs[names].low) == (
            pytest.approx(test.mean),
            pytest.approx(test.low),
        )
        assert pairs[names].p == pytest.approx(adjusted[names])
    belief = correlated_bayesian_t(np.subtract(GOOD, FAIR), rho=1 / 5, rope=ROPE)
    assert pairs["full", "depth"].equivalent == pytest.approx(belief.equivalent)
    assert pairs["full", "depth"].winner is None
    assert pairs["full", "head"].winner == "full"


def test_a_loss_is_won_by_the_lower() -> None:
    pairs = pair_cells(CELLS, replace(TASK, higher_is_better=False))
    assert {pair.winner for pair in pairs} == {None, "head"}


def test_folds_without_a_score_are_not_compared() -> None:
    alone = make_cell("odd", math.nan, math.nan, math.nan, math.nan, 0.5)
    assert pair_cells((CELLS[0], alone), TASK) == ()


def test_a_metric_without_bounds_has_a_rope_in_its_own_size() -> None:
    assert find_rope(np.array([-200.0, -400.0]), (0.0, math.inf)) == pytest.approx(3.0)
    assert find_rope((-200.0, math.nan, -400.0), (0.0, math.inf)) == pytest.approx(3.0)


def test_methods_that_draws_cannot_tell_apart_share_a_tier() -> None:
    def block(**levels: float) -> dict[str, Scored]:
        rng = np.random.default_rng(7)
        return {
            name: Scored.of(level, 1, rng.normal(level, 0.02, size=BAGS)) for name, level in levels.items()
        }

    ranking = rank_blocks({("t", "b"): block(best=0.9, near=0.89, far=0.2)}, words=("task", "arm"))
    assert [(row.arm, row.tier) for row in ranking.rows] == [("best", "A"), ("near", "A"), ("far", "B")]


def test_fine_tuning_pays_where_training_blocks_beats_every_way_of_not_doing_so() -> None:
    tuned, frozen = make_cell("full", level=0.9), make_cell("head", depth=6, level=0.7)
    probe, majority = (
        make_cell("probe", depth=None, level=0.75),
        make_cell("majority", depth=None, level=0.95),
    )
    verdict = ask_whether_it_pays((tuned, frozen, probe, majority), TASK)
    assert verdict is not None
    assert verdict.answer == "yes"
    assert verdict.difference == pytest.approx(0.15, abs=0.01)
    assert verdict.low is not None
    assert 0 < verdict.low < 0.15
    better = make_cell("generic", depth=None, level=0.97)
    no = ask_whether_it_pays((tuned, frozen, better), TASK)
    assert no is not None
    assert no.answer == "no"
    level = ask_whether_it_pays((tuned, make_cell("generic", depth=None, level=0.9)), TASK)
    assert level is not None
    assert level.answer == "cannot tell"


def test_nothing_is_said_where_one_side_is_missing() -> None:
    assert ask_whether_it_pays((make_cell("full"),), TASK) is None
    assert ask_how_deep((make_cell("full"),), TASK) is None
    assert ask_whether_it_overfits((make_cell("probe", depth=None),), TASK) is None
    assert reach_verdicts((replace(make_cell("full"), bagged=None),), (TASK,)) == ()


def test_the_depth_is_named_where_the_bags_agree() -> None:
    clear = ask_how_deep((make_cell("full", level=0.6), make_cell("depth", depth=4, level=0.9)), TASK)
    assert clear is not None
    assert (clear.answer, clear.low, clear.high) == ("4", 4.0, 4.0)
    torn = ask_how_deep((make_cell("full", level=0.9), make_cell("depth", depth=4, level=0.9)), TASK)
    assert torn is not None
    assert torn.answer == "cannot tell"


def test_a_gap_is_overfitting_only_as_far_as_its_interval_says() -> None:
    cell = make_cell("full", *GOOD)
    wide = replace(cell, fold_gaps=(0.3, -0.2, 0.2, -0.1, 0.1))
    none = replace(cell, fold_gaps=(0.0, 0.001, 0.0, -0.001, 0.0))
    answers = [ask_whether_it_overfits((each,), TASK) for each in (cell, wide, none)]
    assert [verdict.answer if verdict else None for verdict in answers] == ["yes", "cannot tell", "no"]


def test_tests_take_the_ratio_of_the_parts_that_the_data_made() -> None:
    uneven = replace(TASK, scheme="temporal", part_ratio=0.5)
    assert (TASK.test_over_train, TASK.fold_correlation) == (0.25, pytest.approx(1 / 5))
    assert (uneven.test_over_train, uneven.fold_correlation) == (0.5, pytest.approx(1 / 3))
    (pair,) = pair_cells(CELLS[:2], uneven)
    differences = np.array(GOOD) - np.array(FAIR)
    test = corrected_resampled_t(differences, test_over_train=0.5)
    assert (pair.p, pair.low, pair.high) == (test.p, test.low, test.high)
    belief = correlated_bayesian_t(differences, rho=1 / 3, rope=ROPE)
    assert pair.better == pytest.approx(belief.better)
    (even,) = pair_cells(CELLS[:2], TASK)
    assert pair.high - pair.low > even.high - even.low
