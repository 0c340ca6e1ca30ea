"""Rows whose values stand between separators."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from harness.errors import DataError
from harness.readers._table import Table
from harness.readers._text import read_text
from harness.spec.words import escape, show

LONGEST = 16_000_000  # characters of one value; more is a quotation mark that is never closed
_NAMES = {",": "commas", "\t": "tabs"}


def read_rows(path: Path, name: str, *, encoding: str, separator: str) -> Table:
    """Return the rows of a file whose first row names the columns; places are the lines where rows begin."""
    text = read_text(path, name, encoding)
    lines = _split(text, name, separator)
    _, header = next(lines, (1, []))
    _check_header(header, name, separator)
    places: list[str] = []
    rows: list[list[str]] = []
    bad: dict[str, str] = {}
    for line, row in lines:
        if len(row) != len(header):
            bad[f"line {line}"] = f"holds {len(row)} values, and the header {len(header)}"
            continue
        places.append(f"line {line}")
        rows.append(row)
    if not rows and not bad:
        raise DataError(f"{name}: has a header and no rows")
    columns = zip(*rows, strict=True) if rows else ((),) * len(header)
    return Table(name=name, columns=dict(zip(header, columns, strict=True)), places=places, bad=bad)


def _split(text: str, name: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not blank, with the line where it begins.

    Only a line feed ends a line: read with universal newlines, a carriage return inside a value would end a
    row, and 600 rows become 641.
    """
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=separator, strict=True)
    before = csv.field_size_limit(LONGEST)
    begin = 1
    try:
        for row in reader:
            if row:
                yield begin, row
            begin = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{name}: line {begin}: {_explain(str(error))}") from None
    finally:
        csv.field_size_limit(before)


def _explain(problem: str) -> str:
    if problem.startswith("new-line character"):
        return "a carriage return that ends no line; put the value in quotes, or save the file with plain line ends"
    if problem.startswith("unexpected end of data"):
        return "a quotation mark that is never closed"
    if "expected after" in problem:
        return "a closing quotation mark followed by more; inside a value write the mark twice"
    if problem.startswith("field larger"):
        return f"a value of more than {LONGEST} characters; is a quotation mark never closed?"
    return problem


def _check_header(header: list[str], name: str, separator: str) -> None:
    repeated = [column for column, count in Counter(header).items() if count > 1 and column]
    if repeated:
        raise DataError(f"{name}: line 1: the column {show(repeated[0])} is named twice")
    if len(header) > 1:
        return
    for other, words in ((";", "semicolons"), ("\t", "tabs"), (",", "commas"), ("|", "bars")):
        if other != separator and header and other in header[0]:
            raise DataError(
                f"{name}: line 1: '{escape(header[0][:60])}' is separated by {words}, not by {_NAMES[separator]}; "
                + ("read it with `tsv:`" if other == "\t" else f"save the file with {_NAMES[separator]}")
            )
