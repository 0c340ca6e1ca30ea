"""How many folds run at once, until when."""

from __future__ import annotations

from datetime import datetime

import pytest

from harness import limits
from harness.limits import FITS_A_WORKER, count_workers, find_deadline
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
    ("budget", "deadline_s"),
    [
        (Budget(), None),
        (Budget(hours=2), 7300.0),
        (Budget(finish_by="13:30"), 5500.0),
        (Budget(finish_by="07:00"), 19 * 3600 + 100.0),
        (Budget(hours=2, finish_by="13:30"), 5500.0),
    ],
)
def test_the_deadline_is_the_first_end_of_the_budget(budget: Budget, deadline_s: float | None) -> None:
    assert find_deadline(budget, now=NOON, clock_s=100.0) == deadline_s
