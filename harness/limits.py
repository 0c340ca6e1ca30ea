"""Limits: how many folds run at once."""

from __future__ import annotations

from harness.machine import read_machine
from harness.spec.models import Compute

FITS_A_WORKER = 24  # fewer are done sooner in this process: a Ray worker takes 5 s of CPU to start


def count_workers(compute: Compute, pending: int) -> int:
    """Return how many folds run at once: as the spec says, or one for each core as far as the work pays for them."""
    if compute.workers != "auto":
        return compute.workers
    return max(1, min(_count_places(compute), pending // FITS_A_WORKER))


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
    return read_machine().usable_cores
