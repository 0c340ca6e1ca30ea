"""Faults that nobody foresaw, each with its traceback in a file of a run folder."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from harness.record.files import write_whole
from harness.record.scores import FoldScore, Key, name_files

FOLDER = "faults"


def fault_path(key: Key) -> PurePosixPath:
    """Return where a fold's traceback lies, below the run folder."""
    return PurePosixPath(FOLDER) / f"{name_files(key)}.txt"


def write_fault(folder: Path, score: FoldScore) -> None:
    """Make a fold's traceback durable, with what the fold was."""
    assert score.traceback is not None
    head = f"{score.error}\n{score.started_at} on {score.host}\n\n"
    write_whole(
        folder / fault_path(score.key), f"{head}{score.traceback}".encode("utf-8", "backslashreplace")
    )
