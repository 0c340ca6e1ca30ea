"""Depot: the driver's files for workers on other nodes, by the digests of what was packed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.assets.parcel import Packed, Parcel, pack_path, write_parcel
from harness.errors import DataError
from harness.search.cluster import find_own_node

ENTRY = re.compile(r"[0-9a-f]{16}/float(16|32)-\w+")  # of a shelf: nothing else below its folder
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

    def lend(self, entry: str, target: Path) -> bool:
        """Write an entry of the driver's shelf at a path, and say whether there was one."""
        import ray

        try:
            parcel: Parcel | None = ray.get(self.actor.pack_shelf.remote(entry))
            if parcel is not None:
                write_parcel(parcel, target, self)
        except (ray.exceptions.RayError, DataError):  # evicted meanwhile, or the driver's node is lost
            return False
        return parcel is not None


def open_depot(packed: Sequence[Packed], shelf: Path) -> Depot:
    """Start the process that reads the driver's files, on its node; it gives what was packed and what a shelf holds."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    class Shelves:
        def __init__(self, packed: Sequence[Packed]) -> None:
            self._packed = {entry.parcel.digest: entry for entry in packed}

        def read(self, digest: str, offset: int) -> bytes:
            return self._packed[digest].read(offset)

        def pack_shelf(self, entry: str) -> Parcel | None:
            folder = shelf / entry
            if not ENTRY.fullmatch(entry) or not folder.is_dir():
                return None
            packed = pack_path(folder)
            self._packed[packed.parcel.digest] = packed
            return packed.parcel

    here = NodeAffinitySchedulingStrategy(find_own_node(), soft=False)
    shelves: Any = ray.remote(Shelves)  # Ray's types know no actor's options
    started = shelves.options(
        num_cpus=0, scheduling_strategy=here, max_restarts=RETRIES, max_task_retries=RETRIES
    )
    return Depot(actor=started.remote(tuple(packed)))
