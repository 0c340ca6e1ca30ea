"""Scale: from values to places on a drawing, with round ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from harness.report.numbers import Bounds, is_share, show_share

MARGIN = 0.06  # of the span of the values, left free at both ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A straight line from values to places: `low` lies at `start`, `high` at `end`."""

    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        """Return where a value lies, to a tenth."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def place_within(self, value: float) -> float:
        """Return where a value lies, at the scale's end if it lies beyond."""
        return self.place(min(max(value, self.low), self.high))

    def ticks(self, most: int) -> tuple[float, ...]:
        """Return about `most` round values of the scale."""
        step = self.step(most)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return tuple(number * step for number in range(first, last + 1))

    def step(self, most: int) -> float:
        """Return the round distance between ticks: 1, 2 or 5 times a power of ten."""
        wanted = (self.high - self.low) / most
        power = 10.0 ** math.floor(math.log10(wanted))
        return next(power * factor for factor in (1, 2, 5, 10, 20) if power * factor >= wanted * (1 - 1e-9))

    def show(self, value: float, most: int, bounds: Bounds) -> str:
        """Return a tick's label, with the decimals that its neighbours need."""
        decimals = min(6, max(0, -math.floor(math.log10(self.step(most)) + 1e-9)))
        if is_share(bounds):
            return show_share(value, digits=decimals) if value else "0"
        return f"{value:.{decimals}f}" if abs(value) < 1e5 else f"{value:.3g}"


def fit_scale(values: Iterable[float], *, start: float, end: float) -> Scale:
    """Return a scale that shows all finite values with some air around them."""
    known = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(known), max(known)
    air = MARGIN * (high - low)
    # One value, or values that differ by rounding alone, still need a span.
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        air = 0.1 * max(abs(low), abs(high)) or 0.1
    return Scale(low=low - air, high=high + air, start=start, end=end)
