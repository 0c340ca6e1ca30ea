"""Limits: how many folds run at once, until when."""

from __future__ import annotations

import os
from datetime import datetime

from harness.spec.models import Budget, Compute

FITS_A_WORKER = 24  # fewer are done sooner in this process: a Ray worker takes 5 s of CPU to start


def count_workers(compute: Compute, pending: int) -> int:
    """Return how many folds run at once: as the spec says, or one for each core as far as the work pays for them."""
    if compute.workers != "auto":
        return compute.workers
    return max(1, min(_count_places(compute), pending // FITS_A_WORKER))


def find_deadline(budget: Budget, *, now: datetime, clock_s: float) -> float | None:
    """Return the moment after which no fold starts, on the clock that shows `clock_s` at the local time `now`.

    None without a budget of time.
    """
    left = [] if budget.hours is None else [budget.hours * 3600]
    if budget.finish_by is not None:
        hour, minute = map(int, budget.finish_by.split(":"))
        end = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
        left.append((end - now).total_seconds() % (24 * 3600))
    return clock_s + min(left) if left else None


def claim_cpus(compute: Compute) -> float:
    """Return how many CPUs a worker claims."""
    return compute.cpus_per_worker or float(compute.threads)


def _count_places(compute: Compute) -> int:
    """Return how many folds the machine can run at once: one for each worker's cores, or for each share of a GPU."""
    if not compute.gpus_per_worker:
        return max(1, int(_count_cores() / claim_cpus(compute)))
    import torch

    return max(1, int(torch.cuda.device_count() / compute.gpus_per_worker))


def _count_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
