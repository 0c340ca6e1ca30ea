"""How many folds run at once, until when."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from harness import limits
from harness.limits import FITS_A_WORKER, count_workers
from harness.search.allotment import allot
from harness.spec.models import Budget, Compute

NOON = datetime(2026, 3, 1, 12).astimezone()


def test_a_number_of_workers_is_taken_as_it_is() -> None:
    assert count_workers(Compute(workers=7), 0) == 7


@pytest.mark.parametrize(
    ("pending", "workers"),
    [(0, 1), (2 * FITS_A_WORKER - 1, 1), (2 * FITS_A_WORKER, 2), (99 * FITS_A_WORKER, 3)],
)
def test_auto_takes_no_more_workers_than_cores_or_than_the_work_pays_for(
    pending: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_count_cores", lambda: 3)
    assert count_workers(Compute(), pending) == workers


@pytest.mark.parametrize(
    ("budget", "ends_s"),
    [
        (Budget(), None),
        (Budget(hours=2), 100.0 + 7200 - 600),  # an earlier run took ten minutes of it
        (Budget(finish_by="13:30"), 5500.0),
        (Budget(finish_by="07:00"), 19 * 3600 + 100.0),
        (Budget(finish_by="12:00"), 24 * 3600 + 100.0),
        (Budget(hours=2, finish_by="13:30"), 5500.0),
    ],
)
def test_the_suite_ends_at_the_first_end_of_the_budget(budget: Budget, ends_s: float | None) -> None:
    allotment = allot(budget, began=NOON, began_s=100.0, spent_s=600.0)
    assert (allotment.began_s, allotment.ends_s) == (100.0, ends_s)


def test_the_cause_is_what_ends_first() -> None:
    late = allot(Budget(hours=2, finish_by="13:30"), began=NOON, began_s=0.0, spent_s=0.0)
    assert late.cause == "budget.finish_by is 13:30: the same command goes on"
    early = allot(Budget(hours=1, finish_by="13:30"), began=NOON, began_s=0.0, spent_s=0.0)
    assert early.cause.startswith("the 1 h of budget.hours are spent: raise it")


def test_hours_and_minutes_are_seconds_on_the_clock() -> None:
    allotment = allot(Budget(per_task=1.5, fold_minutes=2, trials=7), began=NOON, began_s=0.0, spent_s=0.0)
    assert (allotment.task_s, allotment.fold_s, allotment.trials) == (5400.0, 120.0, 7)


@pytest.mark.parametrize(("began", "hours"), [("2026-03-28T19:00", 11), ("2026-10-24T19:00", 13)])
def test_nights_in_which_the_clocks_are_changed_end_when_the_clock_says_so(
    began: str, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        evening = datetime.fromisoformat(began).astimezone()
        allotment = allot(Budget(finish_by="07:00"), began=evening, began_s=0.0, spent_s=0.0)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert allotment.ends_s == hours * 3600


@pytest.mark.parametrize(
    ("compute", "workers"),
    [
        (Compute(threads=2), 4),
        (Compute(cpus_per_worker=4), 2),
        (Compute(threads=2, cpus_per_worker=0.5), 16),
        (Compute(threads=9), 1),
    ],
)
def test_auto_gives_every_worker_the_cpus_that_it_claims_as_many_as_its_threads_unless_told(
    compute: Compute, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_count_cores", lambda: 8)
    assert count_workers(compute, 99 * FITS_A_WORKER) == workers
