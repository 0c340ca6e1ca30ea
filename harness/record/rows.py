"""Rows: what each example of a run was, by id, so that a change of the data can be told row by row."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import StorageError
from harness.examples import Examples
from harness.parquet import read_parquet
from harness.plan import SCHEMA_VERSION
from harness.record.files import storage_faults, write_whole

FOLDER = "rows"
SCHEMA = pa.schema(
    [("id", pa.string()), ("content", pa.string()), ("label", pa.string())],
    metadata={b"schema_version": str(SCHEMA_VERSION).encode()},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The examples of a task: the hash of each one's content, and its label as text, by id."""

    ids: tuple[str, ...]
    contents: tuple[str, ...]
    labels: tuple[str, ...]

    @classmethod
    def of(cls, examples: Examples) -> Rows:
        """Return what is kept of some examples."""
        return cls(
            ids=examples.ids,
            contents=examples.digests,
            labels=tuple(str(label) for label in examples.targets),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChanges:
    """How many rows came, went, have other content, or are as they were."""

    added: int
    removed: int
    changed: int
    relabelled: int  # of those that changed
    unchanged: int

    def __str__(self) -> str:
        labels = f" ({self.relabelled} in the label)" if self.relabelled else ""
        noun = "row" if self.added == 1 else "rows"
        return (
            f"{self.added} {noun} added, {self.removed} removed, {self.changed} changed{labels}, "
            f"{self.unchanged} unchanged"
        )


def write_rows(folder: Path, digest: str, rows: Rows) -> None:
    """Keep the rows of the data that `digest` names in a run's folder; what is there already stays."""
    path = _path(folder, digest)
    if path.exists():  # named by content: it can hold nothing else
        return
    sink = io.BytesIO()
    pq.write_table(pa.table([rows.ids, rows.contents, rows.labels], schema=SCHEMA), sink)
    write_whole(path, sink.getvalue())


def read_rows(folder: Path, digest: str) -> Rows | None:
    """Return the rows that a run was made of; None where it did not keep them, as older runs did not."""
    path = _path(folder, digest)
    if not path.exists():
        return None
    with storage_faults(path):
        data = path.read_bytes()
    try:
        return _as_rows(read_parquet(data).select(SCHEMA.names))
    except (pa.ArrowException, ValueError, LookupError) as fault:
        reason = (str(fault).splitlines() or [type(fault).__name__])[0]
        raise StorageError(f"{path}: is damaged ({reason}). Remove it: a run can do without.") from None


def compare_rows(before: Rows, now: Rows) -> RowChanges:
    """Return what became of the rows, by id; a row without an id is named by its content, so it goes and comes."""
    old, new = _by_id(before), _by_id(now)
    both = old.keys() & new.keys()
    changed = [name for name in both if old[name][0] != new[name][0]]
    return RowChanges(
        added=len(new.keys() - both),
        removed=len(old.keys() - both),
        changed=len(changed),
        relabelled=sum(old[name][1] != new[name][1] for name in changed),
        unchanged=len(both) - len(changed),
    )


def _as_rows(table: pa.Table) -> Rows:
    if table.schema.types != SCHEMA.types:
        raise ValueError(f"columns of {', '.join(map(str, table.schema.types))}")
    ids, contents, labels = (tuple(column.to_pylist()) for column in table.columns)
    return Rows(ids=ids, contents=contents, labels=labels)


def _by_id(rows: Rows) -> dict[str, Sequence[str]]:
    pairs = zip(rows.ids, zip(rows.contents, rows.labels, strict=True), strict=True)
    return dict(pairs)


def _path(folder: Path, digest: str) -> Path:
    return folder / FOLDER / f"{digest}.parquet"
