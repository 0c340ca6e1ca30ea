"""The one file of a data asset, `examples.parquet`, with an explicit schema.

Every row has an `id` and exactly one of `text` (string), `image` (PNG bytes) or `sound` (WAV bytes). What
else a data set knows stands in the columns below; one that it does not know is absent, never empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

EXAMPLES = "examples.parquet"
INPUTS = ("text", "image", "sound")
FIELDS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("image", pa.binary(), nullable=False),
        pa.field("sound", pa.binary(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("polarity", pa.string(), nullable=False),
        pa.field("rating", pa.float64(), nullable=False),
        pa.field("confidence", pa.float64()),  # of the annotators; unknown for some rows
        pa.field("group", pa.string(), nullable=False),
        pa.field("domain", pa.string(), nullable=False),
        pa.field("snr_db", pa.float64(), nullable=False),
        pa.field("rate_wpm", pa.int64(), nullable=False),
        pa.field("pitch", pa.int64(), nullable=False),
    ]
)


def make_table(rows: Sequence[tuple[object, ...]], *columns: str) -> pa.Table:
    """Return an Arrow table of `rows`, which hold a value for each of `columns`, typed as in `FIELDS`."""
    schema = pa.schema([FIELDS.field(name) for name in columns])
    cells = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    return pa.table([pa.array(c, field.type) for c, field in zip(cells, schema, strict=True)], schema=schema)


def write_examples(table: pa.Table, out: Path) -> None:
    """Write a data asset's only file into the folder `out`."""
    ids = table.column("id").to_pylist()
    assert len(set(ids)) == len(ids), "a recipe gave an id twice"
    assert sum(name in INPUTS for name in table.column_names) == 1, "an example has one input"
    pq.write_table(table, out / EXAMPLES, compression="zstd", row_group_size=1024)


def read_examples(folder: Path) -> pa.Table:
    """Return the rows of another data asset, from its folder."""
    return pq.read_table(folder / EXAMPLES)
