"""Finding: a figure, the band it has to lie in, and whether it does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One figure that was computed from what a check made up; the ends of its band are allowed."""

    check: str
    what: str
    figure: float
    low: float
    high: float

    @property
    def ok(self) -> bool:
        """Whether the figure lies in its band; NaN lies in none."""
        return self.low <= self.figure <= self.high
