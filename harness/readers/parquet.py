"""A Parquet file."""

from __future__ import annotations

from pathlib import Path

from harness.examples import Examples, Modality
from harness.readers._arrow import choose_roles, open_parquet, table_of
from harness.readers._columns import collect
from harness.readers._media import audit_of
from harness.spec.options import DataOptions, SourcePath

MODALITIES: tuple[Modality, ...] = ("text", "image", "audio")
COLUMNS = True


class Options(DataOptions):
    """A Parquet file; encoded pictures stand in its column `image`, encoded sounds in `sound` or `audio`."""

    parquet: SourcePath
    """The file, relative to the spec's folder."""


def read(options: Options, *, base: Path, modality: Modality) -> Examples:
    """Return the file's rows."""
    name = options.parquet
    rows = open_parquet(base / name, name)
    roles = choose_roles(rows.column_names, options, modality, name)
    return collect(table_of(rows, name, roles), roles, options, audit=audit_of(modality))


def tiny(folder: Path) -> tuple[Options, Modality]:
    """Write a small file, with numbers for labels."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = {
        "words": ["good", "bad", "fine"],
        "score": [0.5, -1.0, 0.25],
        "by": ["ann", "ann", "bob"],
        "n": [1, 2, 3],
    }
    pq.write_table(pa.table(rows), folder / "rows.parquet")
    return Options(parquet="rows.parquet", text="words", label="score", group="by", id="n"), "text"
