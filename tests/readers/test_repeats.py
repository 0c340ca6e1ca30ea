"""Columns that look like authors, speakers or patients, and columns that do not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.readers._repeats import find_repeats, is_called
from harness.readers._table import Table

ROWS = 200
NAMES = {
    "author": lambda row: f"author-{row % 12}",
    "patient_id": lambda row: row % 40,  # numbers: its name tells
    "userName": lambda row: f"u{row % 3}",
    "written by": lambda row: f"Ann {chr(97 + row % 26)}{chr(97 + row % 2)}",
    "doc": lambda row: f"d{row // 3:04x}x",  # three rows each
    "who": lambda row: f"w{row % 40}" if row % 2 else f"once{row}",  # half of the rows
}
OTHERS = {
    "id": lambda row: f"row-{row}",
    "constant": lambda row: "web",
    "author": lambda row: f"author-{row}",  # each wrote one
    "age": lambda row: 18 + row % 60,
    "stars": lambda row: f"{row % 5}",
    "length": lambda row: f"{row % 30}.5",
    "score": lambda row: row % 30 / 7,
    "topic": lambda row: f"topic-{row % 8}",
    "date": lambda row: f"2024-05-{1 + row % 28:02}",
    "note": lambda row: f"a longer remark number {row % 50} by hand",
    "empty": lambda row: "",
    "checked": lambda row: bool(row % 2),
}


def look(name: str, value: Callable[[int], object], rows: int = ROWS) -> list[str]:
    table = Table(
        name="a.csv",
        columns={
            name: [value(row) for row in range(rows)],
            "text": ["a b"] * rows,
            "label": [row % 2 for row in range(rows)],
        },
        places=[f"line {row + 2}" for row in range(rows)],
    )
    return find_repeats(table, ["text", "label"], range(rows), label="label")


@pytest.mark.parametrize("name", NAMES)
def test_values_that_repeat_a_few_times_each_look_like_a_group(name: str) -> None:
    (note,) = look(name, NAMES[name])
    assert note.startswith(f"a.csv: column '{name}' looks like a repeated id (")
    assert note.endswith(f"rows of one {name} may be on both sides of a split; give `group: {name}`")


@pytest.mark.parametrize("name", OTHERS)
def test_constants_kinds_measures_dates_and_texts_do_not(name: str) -> None:
    assert look(name, OTHERS[name]) == []


def test_a_kind_of_many_rows_is_no_name() -> None:
    assert look("country", lambda row: f"country-{row % 25}", rows=2000) == []
    assert look("country", lambda row: f"country-{row % 25}", rows=1000) != []


def test_a_column_that_has_a_role_is_not_looked_at() -> None:
    assert look("text", NAMES["author"]) == []


@pytest.mark.parametrize(
    ("name", "called"),
    [("author", True), ("Author_ID", True), ("userId", True), ("user-name", True), ("authority", False)],
)
def test_names_are_known_in_their_usual_forms(name: str, *, called: bool) -> None:
    assert is_called(name, ("author", "user")) == called


def test_the_label_in_other_words_is_no_group() -> None:
    columns = {
        "intent": [row % 30 for row in range(ROWS)],
        "spelled": [f"intent {row % 30}" for row in range(ROWS)],
    }
    table = Table(name="a.csv", columns=columns, places=["line"] * ROWS)
    assert find_repeats(table, ["intent"], range(ROWS), label="intent") == []
