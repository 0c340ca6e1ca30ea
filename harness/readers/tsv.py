"""A file of rows, their values separated by tabs."""

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
    """A file of rows, their values separated by tabs, their names in the first row."""

    tsv: SourcePath
    """The file, relative to the spec's folder."""
    encoding: Encoding = "utf-8"
    """How the file's letters are encoded."""


def read(options: Options, *, base: Path, modality: Modality) -> Examples:
    """Return the file's rows."""
    table = read_rows(base / options.tsv, options.tsv, encoding=options.encoding, separator="\t")
    return collect(table, roles_of(options), options)


def tiny(folder: Path) -> tuple[Options, Modality]:
    """Write a small file, with all that a row of the format may hold."""
    rows = (
        "number\ttext\tlabel\tauthor\ttrust",
        "1\tgood, and cheap\tpos\tann\t1",
        '2\t"said ""no""\nand left"\tneg\tann\t0.5',
        "3\tgrün 😀\tNA\tbob\t2",
        "4\t\tpos\tcem\t1",
    )
    (folder / "rows.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8", newline="")
    options = Options(tsv="rows.tsv", text="text", label="label", id="number", group="author", weight="trust")
    return options, "text"
