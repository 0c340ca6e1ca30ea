"""How long a suite is expected to take, and what its band is made of."""

from __future__ import annotations

from typing import Any

import pytest

from harness.plan import Plan
from harness.prospect.hours import LOAD, START_S, expect_hours, list_untold
from harness.prospect.timing import Timing
from harness.record.history import History, TrialRecord
from harness.record.scores import FoldScore
from harness.spec.models import Search
from tests.test_plan import plan_of, read

BENCH = ("t", "b")
NONE = History(trials={})
EVEN = Timing(
    open_s=0.0, fill_s=0.0, depths=((0, 7.0), (2, 7.0)), baselines=(("majority", 1.0),), peak_bytes=1, shelf_bytes=1
)  # fmt: skip
STEADY = Search(trials=10, pruner="none")
MEAN = sum(LOAD) / 2


def suite(**keys: Any) -> Plan:
    whole = {
        "arms": {"full": {"epochs": 1, "head_lr": {"log": [1e-3, 1e-2]}}},
        "baselines": ["majority"],
        "search": {"trials": 10, "pruner": "none"},
    }
    return plan_of(read(**(whole | keys)))


def done(plan: Plan, *, seconds: float, trials: int) -> History:
    study = plan.studies[-1]
    records = {}
    for trial in range(trials):
        folds = tuple(
            FoldScore(study=study.id, trial=trial, repeat=0, fold=fold, state="ok", fit_s=seconds)
            for fold in range(5)
        )
        records[study.id, trial] = TrialRecord(
            study=study.id, trial=trial, candidate=None, state="complete", folds=folds
        )
    return History(trials=records)


def test_a_suite_takes_what_its_fits_take_shared_by_its_workers() -> None:
    one = expect_hours(suite(), NONE, STEADY, {BENCH: EVEN}, workers=1)
    two = expect_hours(suite(), NONE, STEADY, {BENCH: EVEN}, workers=2)
    assert one is not None
    assert two is not None
    work_s = 10 * 5 * 7.0 + 5 * 1.0  # trials x folds, and the baseline on its folds
    assert one.expected_s == pytest.approx(work_s * MEAN, rel=0.02)
    assert two.expected_s == pytest.approx(START_S + work_s * MEAN / 2, rel=0.02)
    assert one.low_s >= LOAD[0] * work_s
    assert one.low_s < one.expected_s < one.high_s <= LOAD[1] * work_s
    assert one.trials == 10


def test_pruning_and_depths_widen_the_band() -> None:
    plain = expect_hours(suite(), NONE, STEADY, {BENCH: EVEN}, workers=1)
    pruned = expect_hours(
        suite(), NONE, Search(trials=10, pruner="median", startup=2), {BENCH: EVEN}, workers=1
    )
    arms = {
        "depth": {
            "epochs": {"int": [1, 9]},
            "freeze_depth": {"int": [0, "all"]},
            "head_lr": {"log": [1e-3, 1e-2]},
        }
    }
    steep = Timing(
        open_s=0.0, fill_s=0.0, depths=((0, 9.0), (2, 1.0)), baselines=(), peak_bytes=1, shelf_bytes=1
    )  # fmt: skip
    varied = expect_hours(suite(arms=arms, baselines=[]), NONE, STEADY, {BENCH: steep}, workers=1)
    assert plain is not None
    assert pruned is not None
    assert varied is not None
    assert pruned.expected_s < plain.expected_s
    assert pruned.high_s <= plain.high_s * 1.01
    spreads = [(hours.high_s - hours.low_s) / hours.expected_s for hours in (plain, pruned, varied)]
    assert spreads[0] < min(spreads[1:])


def test_what_is_done_is_not_counted_and_its_own_seconds_count_more_than_a_timing() -> None:
    plan = suite(baselines=[])
    half = expect_hours(plan, done(plan, seconds=2.0, trials=6), STEADY, {BENCH: EVEN}, workers=1)
    assert half is not None
    assert half.expected_s == pytest.approx(4 * 5 * 2.0 * MEAN, rel=0.02)
    assert half.trials == 4
    whole = expect_hours(plan, done(plan, seconds=2.0, trials=10), STEADY, {}, workers=1)
    assert whole is not None
    assert (whole.expected_s, whole.trials) == (0.0, 0)


def test_what_was_neither_timed_nor_begun_has_no_estimate() -> None:
    plan = suite(baselines=[])
    assert expect_hours(plan, NONE, STEADY, {}, workers=1) is None
    assert list_untold(plan, NONE) == [BENCH]
    assert list_untold(plan, done(plan, seconds=1.0, trials=1)) == []


def test_the_share_that_is_done_in_time_leaves_out_what_comes_before_the_first_trial() -> None:
    slow = Timing(
        open_s=60.0, fill_s=40.0, depths=EVEN.depths, baselines=EVEN.baselines, peak_bytes=1, shelf_bytes=1
    )  # fmt: skip
    hours = expect_hours(suite(), NONE, STEADY, {BENCH: slow}, workers=1)
    assert hours is not None
    assert hours.start_s == 100.0
    assert hours.share_in(50) == 0.0
    assert hours.share_in(100 + (hours.expected_s - 100) / 2) == pytest.approx(0.5)
    assert hours.share_in(1e9) == 1.0


def test_the_same_plan_has_the_same_estimate() -> None:
    first, second = (expect_hours(suite(), NONE, STEADY, {BENCH: EVEN}, workers=1) for _ in range(2))
    assert first == second
