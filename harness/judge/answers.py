"""Answers: what judges say in the same words, whatever they were asked."""

from __future__ import annotations

from collections.abc import Sequence

CANNOT_TELL = "cannot tell"


def show_change(difference: float, low: float, high: float) -> str:
    """Return a difference with its interval."""
    return f"{difference:+.3f} [{low:+.3f}, {high:+.3f}]"


def list_some(names: Sequence[str], *, shown: int) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")
