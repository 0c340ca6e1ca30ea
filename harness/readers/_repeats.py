"""Repeats: columns that look as if their values named whom rows belong to, where nobody has given a group."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from harness.readers._table import Table
from harness.readers._times import refuse_time
from harness.spec.words import escape, show

GROUPS = ("group", "author", "speaker", "user", "patient", "subject", "person", "voice", "session", "source")
"""What a column of authors and their like is called."""

# Values: fewer are a kind, not names; of a column that is called like one, and of any other.
FEW_NAMED, FEW = 3, 20
MOST_ROWS = 50  # for each value in the mean: more are a kind, whatever their number
MOST_WORDS = 3  # in a name, in the mean: more are a text
REPEATED = 0.5  # of the rows, whose value comes again


def find_repeats(table: Table, taken: Sequence[str], rows: Sequence[int], *, label: str) -> list[str]:
    """Return a note of each column that nobody has named and that looks like authors, speakers or patients.

    `taken` are the columns that have a role; `label` is one of them, and a column that follows from it is a kind.
    """
    notes = []
    labels = table.columns[label]
    for column, cells in table.columns.items():
        if column in taken or len(cells) != len(table.places):
            continue  # a column that was not read has no cells
        if any(isinstance(cells[row], (list, dict)) for row in rows):
            continue
        found = Counter(word for row in rows if (word := _spell(cells[row])))
        follows = len({(labels[row], cells[row]) for row in rows}) == len({labels[row] for row in rows})
        if not follows and _names_rows(column, found, len(rows)):
            notes.append(
                f"{table.name}: column {show(column)} looks like a repeated id ({len(found)} values in {len(rows)} "
                f"rows): rows of one {escape(column)} may be on both sides of a split; give `group: {escape(column)}`"
            )
    return notes


def is_called(name: str, names: Sequence[str]) -> bool:
    """Return whether a column has one of these names, alone or as in `author_id` and `user-name`."""
    plain = re.sub(r"[- ]", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)).lower()
    return plain in names or plain.removesuffix("_id").removesuffix("_name") in names


def _spell(cell: object) -> str:
    return str(cell).strip() if isinstance(cell, (str, int)) and not isinstance(cell, bool) else ""


def _names_rows(column: str, found: Counter[str], rows: int) -> bool:
    """Return whether the values of a column, with how often they come, are likely names of whom rows belong to."""
    repeated = sum(count for count in found.values() if count > 1)
    named = is_called(column, GROUPS)
    if len(found) < (FEW_NAMED if named else FEW) or repeated < REPEATED * rows:
        return False
    if named:
        return True
    if sum(found.values()) > MOST_ROWS * len(found):
        return False
    words = sum(count * len(value.split()) for value, count in found.items())
    # Whole numbers are as often ages, lengths and years as ids.
    return words <= MOST_WORDS * rows and not any(refuse_time(value) is None for value in found)
