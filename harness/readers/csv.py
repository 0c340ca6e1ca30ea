"""A file of rows, their values separated by commas."""

from __future__ import annotations

from pathlib import Path

from harness.examples import Examples, Modality
from harness.readers._columns import collect, roles_of
from harness.readers._rows import read_rows
from harness.readers._text import Encoding
from harness.spec.options import DataOptions, SourcePath

MODALITIES: tuple[Modality, ...] = ("text",)
COLUMNS = True


class Options(DataOptions):
    """A file of rows, their values separated by commas, their names in the first row."""

    csv: SourcePath
    """The file, relative to the spec's folder."""
    encoding: Encoding = "utf-8"
    """How the file's letters are encoded."""


def read(options: Options, *, base: Path, modality: Modality) -> Examples:
    """Return the file's rows."""
    table = read_rows(base / options.csv, options.csv, encoding=options.encoding, separator=",")
    return collect(table, roles_of(options), options)


def tiny(folder: Path) -> tuple[Options, Modality]:
    """Write a small file, with all that a row of the format may hold."""
    rows = (
        "number,text,label,author,trust",
        '1,"good, and cheap",pos,ann,1',
        '2,"said ""no""\nand left",neg,ann,0.5',
        "3,grün 😀,NA,bob,2",
        "4,,pos,cem,1",
    )
    (folder / "rows.csv").write_text("\n".join(rows) + "\n", encoding="utf-8", newline="")
    options = Options(csv="rows.csv", text="text", label="label", id="number", group="author", weight="trust")
    return options, "text"
