"""Clean: what can be removed without losing a result, and its removal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cache import Holdings, free_shelf, measure_shelf
from harness.errors import StorageError
from harness.record.files import hold_run, storage_faults
from harness.record.ledger import LEDGER, read_history
from harness.record.lock import read_lock
from harness.record.predictions import FOLDER, list_predictions, name_predictions
from harness.record.rows import FOLDER as ROWS


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphans:
    """The files of a run that nothing in it names, and their bytes."""

    run: Path
    files: tuple[Path, ...]
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaning:
    """What was looked at, and removed if `done`; a shelf of None was not looked at."""

    shelf: Holdings | None
    runs: tuple[Orphans, ...]
    done: bool


def look_around(runs: Sequence[Path], cache: Path | None) -> Cleaning:
    """Return what `clean_up` would free of some runs, and of the shelf in the cache; removes nothing."""
    return Cleaning(
        shelf=None if cache is None else measure_shelf(cache), runs=tuple(map(find_orphans, runs)), done=False
    )


def clean_up(runs: Sequence[Path], cache: Path | None) -> Cleaning:
    """Remove what nothing names in some runs, and of the shelf in the cache what no process has open."""
    return Cleaning(
        shelf=None if cache is None else free_shelf(cache), runs=tuple(map(remove_orphans, runs)), done=True
    )


def find_orphans(folder: Path) -> Orphans:
    """Return predictions that no line of the ledger names, and rows of data that the run was not planned on.

    Raises `StorageError` where the ledger is damaged: then what no line names may be what its lost lines named.
    """
    files = tuple(sorted((*_list_predictions(folder), *_list_rows(folder))))
    return Orphans(run=folder, files=files, bytes=sum(file.stat().st_size for file in files))


def remove_orphans(folder: Path) -> Orphans:
    """Remove them, and return what was removed; raises `StorageError` where another process works on the run."""
    with hold_run(folder):  # which also removes what a killed process was writing
        orphans = find_orphans(folder)
        for file in orphans.files:
            with storage_faults(file):
                file.unlink()
    return orphans


def _list_predictions(folder: Path) -> Iterator[Path]:
    history = read_history(folder)
    if history.damage:
        raise StorageError(
            f"{folder / LEDGER}: is damaged, so nothing of this run is removed ({history.damage[0]}). `harness run` "
            "with its spec mends it."
        )
    named = name_predictions(history.trials.values())
    yield from (folder / FOLDER / name for name in list_predictions(folder) - named)


def _list_rows(folder: Path) -> Iterator[Path]:
    planned = {facts.digest for facts in read_lock(folder).survey.tasks.values()}
    yield from (file for file in (folder / ROWS).glob("*.parquet") if file.stem not in planned)
