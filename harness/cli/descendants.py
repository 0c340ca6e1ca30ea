"""Descendants: the processes that this one started, and those that they started."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path


def end_descendants() -> None:
    """Kill every process below this one, where the system tells which they are; raises nothing."""
    for pid in find_descendants(os.getpid()):
        with suppress(OSError):  # it has gone already
            os.kill(pid, signal.SIGKILL)


def find_descendants(pid: int) -> list[int]:
    """Return the processes below one, parents first: a killed parent starts no others."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            # A process's name may hold blanks, brackets and bytes that are no text.
            parent = int(stat.read_bytes().rsplit(b")", 1)[1].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for parent in found:  # which grows meanwhile
        found += children.get(parent, [])
    return found[1:]
