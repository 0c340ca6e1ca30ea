"""Pools: what fits a run's folds, opened as its spec says."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from harness.limits import FITS_A_WORKER, claim_cpus, count_workers
from harness.spec.models import Compute

if TYPE_CHECKING:
    from harness.learn.sources import Source
    from harness.record.scores import FoldJob, FoldScore
    from harness.search.depot import Depot
    from harness.search.events import Event
    from harness.search.pool import Pool
    from harness.shipment import Shipment


def open_pool(
    compute: Compute, source: Source, pending: int, *, insecure: bool, on_event: Callable[[Event], None]
) -> Pool:
    """Return a pool for as many fits as are pending: this process, workers on this machine, or those of a cluster.

    `insecure` joins a cluster that lets anybody in. Raises `EnvironmentFault` for a cluster that cannot be joined.
    """
    from harness.search.pool import LocalPool

    if not pending:
        return LocalPool(partial(_open_scorer, source, compute.threads))
    if compute.address != "local":
        return _open_shared(compute, source, pending, insecure=insecure, on_event=on_event)
    workers = count_workers(compute, pending)
    if workers == 1:
        return LocalPool(partial(_open_scorer, source, compute.threads))
    from harness.search.cluster import start_cluster
    from harness.search.ray_pool import Claim, RayPool

    cpus = claim_cpus(compute)
    claim = Claim(cpus=cpus, gpus=compute.gpus_per_worker, threads=compute.threads)
    cluster = start_cluster(cpus=math.ceil(workers * cpus), threads=compute.threads)
    scorer = partial(_open_scorer, source, compute.threads)
    return RayPool(scorer, cluster, workers=workers, claim=claim, on_event=on_event)


def _open_shared(
    compute: Compute, source: Source, pending: int, *, insecure: bool, on_event: Callable[[Event], None]
) -> Pool:
    """Join a cluster, whose nodes get what the source names from a depot on this one."""
    from harness.learn.sources import SHELF
    from harness.search.depot import open_depot
    from harness.search.joining import join_cluster
    from harness.search.ray_pool import Claim, RayPool
    from harness.shipment import pack_source

    cluster = join_cluster(compute.address, insecure=insecure)
    try:
        shipment, packed = pack_source(source)
        depot = open_depot(packed, source.cache / SHELF)
        scorer = partial(_open_scorer_there, shipment, depot, compute.threads)
    except BaseException:
        cluster.close()
        raise
    return RayPool(
        scorer,
        cluster,
        workers=None if compute.workers == "auto" else compute.workers,
        most=max(1, pending // FITS_A_WORKER),
        claim=Claim(
            cpus=claim_cpus(compute),
            gpus=compute.gpus_per_worker,
            threads=compute.threads,
            spread=compute.spread,
        ),
        on_event=on_event,
    )


def _open_scorer(source: Source, threads: int) -> Callable[[FoldJob], FoldScore]:
    """Import the training half where folds are fitted: a run that has nothing left to fit never loads it."""
    from harness.learn.work import open_scorer

    return open_scorer(source, threads)


def _open_scorer_there(shipment: Shipment, depot: Depot, threads: int) -> Callable[[FoldJob], FoldScore]:
    from harness.shipment import unpack_source

    return _open_scorer(replace(unpack_source(shipment, depot), lend=depot.lend), threads)
