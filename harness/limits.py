"""Limits: how many folds run at once, until when, and how much a suite may use."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from harness.machine import read_machine
from harness.search.schedule import Allotment
from harness.spec.models import Budget, Compute

FITS_A_WORKER = 24  # fewer are done sooner in this process: a Ray worker takes 5 s of CPU to start


def count_workers(compute: Compute, pending: int) -> int:
    """Return how many folds run at once: as the spec says, or one for each core as far as the work pays for them."""
    if compute.workers != "auto":
        return compute.workers
    return max(1, min(_count_places(compute), pending // FITS_A_WORKER))


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


def _count_places(compute: Compute) -> int:
    """Return how many folds the machine can run at once: one for each core, or for each share of a GPU."""
    if not compute.gpus_per_worker:
        return _count_cores()
    import torch

    return max(1, int(torch.cuda.device_count() / compute.gpus_per_worker))


def _count_cores() -> int:
    return read_machine().usable_cores
