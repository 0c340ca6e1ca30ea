"""Times: numbers as they stand, or ISO dates and datetimes in days."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta

from harness.errors import DataError
from harness.readers._numbers import read_number
from harness.readers._table import Table
from harness.spec.words import show

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def refuse_time(cell: object) -> str | None:
    """Return why a cell is no time, None where it is one."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return "no time"
    if read_number(cell) is None and _read_date(cell) is None:
        return f"{show(cell)}, which is no number and no ISO date or datetime,"
    return None


def read_times(table: Table, column: str | None, rows: Sequence[int]) -> list[float] | None:
    """Return the times of a column of numbers, or of dates in days since 1970; raises `DataError` if it holds both."""
    if column is None:
        return None
    cells = table.columns[column]
    dated = [row for row in rows if read_number(cells[row]) is None]
    if dated and len(dated) < len(rows):
        number = min(set(rows) - set(dated))
        raise DataError(
            f"{table.name}: the column {show(column)} mixes dates and numbers: {table.places[dated[0]]} holds "
            f"{show(cells[dated[0]])}, {table.places[number]} holds {show(cells[number])}; write all of them alike"
        )
    read: Callable[[object], float | None] = _read_date if dated else read_number
    return [time for row in rows if (time := read(cells[row])) is not None]


def _read_date(cell: object) -> float | None:
    """Return the days since 1970, a time without a zone being taken as UTC."""
    if isinstance(cell, str):
        try:
            cell = datetime.fromisoformat(cell.strip())
        except ValueError:
            return None
    if isinstance(cell, datetime):
        return (cell.replace(tzinfo=cell.tzinfo or UTC) - EPOCH) / timedelta(days=1)
    return float((cell - EPOCH.date()).days) if isinstance(cell, date) else None
