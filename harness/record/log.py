"""Log: what happened to a run, one plain line an event, for people."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.credentials import redact
from harness.errors import StorageError
from harness.record.files import storage_faults

LOG = "run.log"
OLDER = "run.log.1"
LOG_BYTES = 4_000_000  # a night of trouble is less; what is older lies in one more file of that size
TAIL_BYTES = 256_000  # as much of its end as is read
LINE_LETTERS = 2_000
ERROR = "error"
FORCED = "forced"
ENDINGS = ("complete", "deadline", "stopped", ERROR, FORCED)
"""Kinds of lines after which a process does no more on a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a log."""

    at: datetime  # UTC
    kind: str  # one word
    text: str


def write_log(folder: Path, kind: str, text: str) -> None:
    """Append a line to a run's log; raises `StorageError` where that is impossible.

    The file is opened for each line: a signal's handler may write between two lines of somebody else.
    """
    path = folder / LOG
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    line = f"{at} {kind:<8} {_flatten(redact(text))[:LINE_LETTERS]}\n"
    with storage_faults(path):
        if path.exists() and path.stat().st_size > LOG_BYTES:
            path.replace(folder / OLDER)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


def read_log(folder: Path) -> tuple[Entry, ...]:
    """Return the last lines of a run's log, oldest first; what is no line of a log is left out."""
    path = folder / LOG
    if not path.exists():
        return ()
    with storage_faults(path), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return tuple(entry for entry in map(_read, lines) if entry is not None)


@contextmanager
def log_faults(folder: Path) -> Iterator[None]:
    """Write into a run's log what ends the block by force, on its way to whoever answers for it.

    `SystemExit` is what a library makes of a signal: whoever hears signals has a word for that.
    """
    try:
        yield
    except SystemExit:
        raise
    except BaseException as fault:
        with suppress(StorageError):  # the storage may be what has failed, and the fault itself says so
            kind = FORCED if isinstance(fault, KeyboardInterrupt) else ERROR
            write_log(folder, kind, f"{type(fault).__name__}: {fault}")
        raise


def _read(line: str) -> Entry | None:
    time, _, rest = line.partition(" ")
    kind, _, text = rest.partition(" ")
    try:
        at = datetime.strptime(time, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:  # the rest of a line that was cut at the front, or torn
        return None
    return Entry(at=at, kind=kind, text=text.strip())


def _flatten(text: str) -> str:
    """Return text on one line, without what could move the cursor of whoever reads it."""
    joined = " | ".join(part.strip() for part in text.splitlines() if part.strip())
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode()
        for letter in joined
    )
