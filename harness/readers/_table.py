"""Rows as a source gives them, before anyone has asked whether they can be used."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from harness.errors import DataError, did_you_mean
from harness.spec.words import escape

SHOWN = 10  # rows, files or columns that one message lists


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Columns of equal length; `places` says of each row where it stands, as messages call it (`line 7`).

    `bad` holds rows that could not be read at all: by place, why. They are in no column.
    """

    name: str
    columns: Mapping[str, Sequence[object]]
    places: Sequence[str]
    bad: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def require_columns(table: Table, wanted: Sequence[tuple[str, str]]) -> None:
    """Raise `DataError` where a table lacks a column; `wanted` are keys of the spec with the columns they name."""
    lacking = [(key, column) for key, column in wanted if column not in table.columns]
    if not lacking:
        return
    key, column = lacking[0]
    known = [name for name in table.columns if name]
    listed = ", ".join(f"'{escape(name)}'" for name in known[:SHOWN]) + (
        ", ..." if len(known) > SHOWN else ""
    )
    hint = did_you_mean(column, known)
    headless = " Is the first row, the header, missing?" if len(lacking) == len(wanted) and not hint else ""
    raise DataError(
        f"{table.name}: has no column '{escape(column)}' ({key}).{hint} Its columns: {listed}.{headless}"
    )


def settle_bad(name: str, bad: Mapping[str, str], rows: int, on_bad: Literal["error", "drop"]) -> list[str]:
    """Return a note of the rows that are dropped, or raise `DataError` with the first ten of them.

    `rows` counts all rows, the bad ones included.
    """
    if not bad:
        return []
    first = [f"{place}: {bad[place]}" for place in sorted(bad, key=_natural)[:SHOWN]]
    if on_bad == "drop":
        more = f"; and {len(bad) - 3} more" if len(bad) > 3 else ""
        return [f"{name}: dropped {len(bad)} of {rows} rows: {'; '.join(first[:3])}{more}"]
    lead = f"{len(bad)} of {rows} rows cannot be used"
    if len(bad) > SHOWN:
        lead += f", the first {SHOWN} of them"
    lines = "\n".join(f"  {line}" for line in first)
    raise DataError(f"{name}: {lead}:\n{lines}\n  Mend them, or leave them out with `on_bad: drop`.")


def _natural(place: str) -> tuple[tuple[str, int], ...]:
    """Return a key that sorts `line 9` before `line 10`."""
    parts = [*re.split(r"(\d+)", place), "0"]
    return tuple((words, int(number)) for words, number in zip(parts[::2], parts[1::2], strict=True))
