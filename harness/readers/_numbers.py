"""Numbers: what of a table's cells is one."""

from __future__ import annotations

import math


def read_number(cell: object) -> float | None:
    """Return a cell as a finite number, None where it is none: true and false are words."""
    if isinstance(cell, bool) or not isinstance(cell, (str, int, float)):
        return None
    try:
        number = float(cell)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
