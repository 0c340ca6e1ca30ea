"""Cache: what lies on the shelf of activations, and giving it back while others may use it; imports no torch."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.record.files import storage_faults

SHELF = "shelf"
ENTRIES = "float*"  # below a folder for each content: one entry for each place and number format
FILLING = ".filling-*"  # what a killed process was writing
LOCK = ".lock"
STATES = "states.bin"
CLOCK_S = 0.05  # the clock of a file system is that much behind at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """The bytes of a shelf that nobody uses, and those that some process has open."""

    free_bytes: int
    used_bytes: int


def sum_shelf(cache: Path) -> int:
    """Return the bytes that the shelf holds now."""
    return sum(map(_size, (cache / SHELF).glob(f"*/{ENTRIES}")))


def sum_used_since(cache: Path, moment: float) -> int:
    """Return the bytes of the activations that were used since then, and of all that belong to the same content."""
    entries = (cache / SHELF).glob(f"*/{ENTRIES}")
    used = {entry.parent for entry in entries if entry.stat().st_mtime >= moment - CLOCK_S}
    return sum(_size(entry) for content in used for entry in content.glob(ENTRIES))


def measure_shelf(cache: Path) -> Holdings:
    """Return what `free_shelf` would give back; removes nothing."""
    free = sum(_size(entry) for entry in _claim_entries(cache / SHELF))
    return Holdings(free_bytes=free, used_bytes=max(0, sum_shelf(cache) - free))


def free_shelf(cache: Path) -> Holdings:
    """Remove all activations that no process has open, and return what was freed and what was left.

    They are filled again by whoever needs them. What a running fit has mapped, or is filling, stays.
    """
    freed = 0
    for entry in _claim_entries(cache / SHELF):
        size = _size(entry)
        with storage_faults(entry):
            shutil.rmtree(entry)
        freed += size
    return Holdings(free_bytes=freed, used_bytes=sum_shelf(cache))


def _claim_entries(shelf: Path) -> Iterator[Path]:
    """Yield every entry that nobody uses, claimed until the next one is asked for."""
    for lock in sorted(shelf.glob(f"*/{LOCK}")):
        with lock.open("w") as content, suppress(BlockingIOError):  # somebody is filling it
            fcntl.flock(content, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield from lock.parent.glob(FILLING)
            yield from (entry for entry in sorted(lock.parent.glob(ENTRIES)) if not _is_open(entry))


def _is_open(entry: Path) -> bool:
    """Say whether a process has the activations mapped: it holds a shared lock for as long."""
    try:
        with (entry / STATES).open("rb") as states:
            fcntl.flock(states, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:  # half an entry, which nobody opens
        return False
    except BlockingIOError:
        return True
    return False


def _size(entry: Path) -> int:
    """Return the bytes of an entry; 0 for one that another process has just removed."""
    try:
        return sum(file.stat().st_size for file in entry.rglob("*") if file.is_file())
    except FileNotFoundError:
        return 0
