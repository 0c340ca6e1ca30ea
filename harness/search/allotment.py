"""Allotment: how much a suite may use, by its budget and by what earlier runs have spent of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from harness.spec.models import Budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Allotment:
    """What a suite may use; None: as much as it wants."""

    began_s: float = 0.0  # a moment on the clock, as the next one is
    ends_s: float | None = None
    trials: int | None = None  # of arms and controls, all together
    task_s: float | None = None  # of fitting, for each task
    fold_s: float | None = None  # a fit that takes longer, and ten times what is usual, is hung
    cause: str = "the time is over"  # what ends at `ends_s`, in words


def allot(budget: Budget, *, began: datetime, began_s: float, spent_s: float) -> Allotment:
    """Return what is left of a budget for a run that began at a local time, when the monotonic clock showed `began_s`.

    Earlier runs of the suite have worked for `spent_s`.
    """
    ends = []
    if budget.hours is not None:
        why = f"the {budget.hours:g} h of budget.hours are spent: raise it, and the same command goes on"
        ends.append((began_s + budget.hours * 3600 - spent_s, why))
    if budget.finish_by is not None:
        why = f"budget.finish_by is {budget.finish_by}: the same command goes on"
        ends.append((began_s + _count_seconds_until(budget.finish_by, began), why))
    first: tuple[float | None, str] = min(ends, default=(None, ""))
    return Allotment(
        began_s=began_s,
        ends_s=first[0],
        trials=budget.trials,
        task_s=None if budget.per_task is None else budget.per_task * 3600,
        fold_s=budget.fold_minutes * 60,
        cause=first[1],
    )


def _count_seconds_until(time_of_day: str, now: datetime) -> float:
    """Return the seconds until a local time of day comes next, on a night too in which the clocks are changed."""
    for days in (0, 1):
        date = now.astimezone().date() + timedelta(days=days)
        end = datetime.combine(date, time.fromisoformat(time_of_day)).astimezone()
        if end > now:
            break
    return (end - now).total_seconds()
