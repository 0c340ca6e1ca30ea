"""Depot: the driver's files for workers on other nodes, by the digests of what was packed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.assets.parcel import Packed
from harness.search.cluster import find_own_node

RETRIES = 3  # of a read whose answer was lost: reading changes nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Depot:
    """What workers take to fetch with; `actor` is Ray's own handle, which has no static type."""

    actor: Any

    def __call__(self, digest: str, offset: int) -> bytes:
        """Return the next bytes of a parcel, none behind its end."""
        import ray

        chunk: bytes = ray.get(self.actor.read.remote(digest, offset))
        return chunk


def open_depot(packed: Sequence[Packed]) -> Depot:
    """Start the process that reads the driver's files, on its node; it gives nothing but what was packed."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    class Shelves:
        def __init__(self, packed: Sequence[Packed]) -> None:
            self._packed = {entry.parcel.digest: entry for entry in packed}

        def read(self, digest: str, offset: int) -> bytes:
            return self._packed[digest].read(offset)

    here = NodeAffinitySchedulingStrategy(find_own_node(), soft=False)
    shelves: Any = ray.remote(Shelves)  # Ray's types know no actor's options
    started = shelves.options(
        num_cpus=0, scheduling_strategy=here, max_restarts=RETRIES, max_task_retries=RETRIES
    )
    return Depot(actor=started.remote(tuple(packed)))
