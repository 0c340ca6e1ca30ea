"""Anybody's table of scores: data sets down, methods across."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import Fault, SpecError

Row = tuple[int, list[str]]  # the line on which it ends, its cells


def read_score_table(path: Path) -> Mapping[str, Mapping[str, float | None]]:
    """Return scores[data set][method] of a CSV file; an empty cell or `nan` is None. Raises `SpecError`."""
    rows = _read_rows(path)
    if not rows:
        raise SpecError(
            [Fault(file=str(path), message="is empty; it needs a header and one line per data set")]
        )
    (line, header), *body = rows
    faults = [
        *_check_header(path, line, header),
        *(fault for number, cells in body for fault in _check_row(path, number, cells, header)),
        *_check_repeats(path, line, header[1:], "method"),
        *_check_repeats(path, 0, [cells[0] for _, cells in body], "data set"),
    ]
    if not body:
        faults.append(Fault(file=str(path), message="has a header and no line below it"))
    if faults:
        raise SpecError(faults)
    return {
        cells[0]: {method: _number(cell) for method, cell in zip(header[1:], cells[1:], strict=True)}
        for _, cells in body
    }


def _read_rows(path: Path) -> list[Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            return [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(cells)]
    except UnicodeDecodeError as error:
        raise SpecError([Fault(file=str(path), message=f"is not UTF-8 (byte {error.start})")]) from error
    except csv.Error as error:
        raise SpecError([Fault(file=str(path), message=f"is not CSV: {error}")]) from error
    except OSError as error:
        raise SpecError([Fault(file=str(path), message=f"cannot be read: {error.strerror}")]) from error


def _check_header(path: Path, line: int, header: Sequence[str]) -> list[Fault]:
    if len(header) >= 3:
        return []
    looks = next((f"; it looks separated by {name}" for mark, name in _MARKS if mark in header[0]), "")
    message = f"needs a column of data sets and at least two methods, separated by commas{looks}"
    return [Fault(file=str(path), line=line, column=1, message=message)]


_MARKS = ((";", "';'"), ("\t", "tabs"))


def _check_row(path: Path, line: int, cells: Sequence[str], header: Sequence[str]) -> list[Fault]:
    if len(cells) != len(header):
        message = f"has {len(cells)} cells where the header has {len(header)}"
        return [Fault(file=str(path), line=line, column=1, message=message)]
    return [
        Fault(file=str(path), line=line, column=place, message=f"'{cell}' in column {place} is not a number")
        for place, cell in enumerate(cells[1:], start=2)
        if not _is_score(cell)
    ]


def _check_repeats(path: Path, line: int, names: Sequence[str], what: str) -> list[Fault]:
    repeated = sorted({name for name in names if names.count(name) > 1})
    return [
        Fault(file=str(path), line=line, column=1, message=f"names the {what} '{name}' twice")
        for name in repeated
    ]


def _is_score(cell: str) -> bool:
    try:
        return (score := _number(cell)) is None or math.isfinite(score)
    except ValueError:
        return False


def _number(cell: str) -> float | None:
    if not cell or math.isnan(score := float(cell)):
        return None
    return score
