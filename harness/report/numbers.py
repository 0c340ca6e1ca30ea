"""How numbers of a comparison look to people."""

from __future__ import annotations

import math

NOTHING = "–"

Bounds = tuple[float, float]


def show_score(value: float | None, bounds: Bounds, *, digits: int = 3) -> str:
    """Return `.724` for a metric between -1 and 1 and three significant digits for others, `–` for None."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if is_share(bounds):
        return show_share(value, digits=digits)
    return _with_decimals(value, _decimals(value, digits))


def show_interval(low: float | None, high: float | None, bounds: Bounds) -> str:
    """Return `[.69,.76]`, nothing where there is no interval."""
    if low is None or high is None:
        return ""
    if is_share(bounds):
        return f"[{show_share(low, digits=2)},{show_share(high, digits=2)}]"
    decimals = _decimals(max(abs(low), abs(high)), 3)
    return f"[{_with_decimals(low, decimals)},{_with_decimals(high, decimals)}]"


def show_estimate(value: float | None, low: float | None, high: float | None, bounds: Bounds) -> str:
    """Return a score with its interval, `missing` for None."""
    if value is None:
        return "missing"
    return f"{show_score(value, bounds)} {show_interval(low, high, bounds)}".rstrip()


def show_rank(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """Return a mean rank to one digit, with its interval where there is one."""
    return NOTHING if value is None else f"{value:.1f} {show_rank_interval(low, high)}".rstrip()


def show_rank_interval(low: float | None, high: float | None) -> str:
    """Return `[1.2,2.4]`, nothing where there is no interval."""
    return "" if low is None or high is None else f"[{low:.1f},{high:.1f}]"


def show_p(p: float | None) -> str:
    """Return a probability as it stands in a table; in a sentence it is the judge's."""
    if p is None:
        return NOTHING
    return "<.001" if p < 0.001 else show_share(p, digits=3)


def show_metric(name: str, *, higher_is_better: bool) -> str:
    """Return a metric's name with an arrow to its better side."""
    return f"{name} {'↑' if higher_is_better else '↓'}"


def count_noun(number: int, noun: str) -> str:
    """Return `1 fold` or `3 folds`."""
    return f"{number} {noun}{'s' * (number != 1)}"


def show_seconds(value: float | None) -> str:
    """Return seconds to two significant digits below 10 and whole ones above."""
    if value is None:
        return NOTHING
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value >= 0.1 else f"{value:.2f}"


def show_span(seconds: float) -> str:
    """Return `40 s`, `12 min` or `5 h 10 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 1 or not seconds else "1 s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def show_bytes(value: float) -> str:
    """Return `3.2 GB`, `40 MB` or `12 B`, in powers of ten as disks are sold."""
    for size, unit, digits in ((10**9, "GB", 1), (10**6, "MB", 0), (10**3, "kB", 0)):
        if value >= size / 10 * (1 if digits else 10):
            return f"{value / size:.{digits}f} {unit}"
    return f"{value:.0f} B"


def show_count(value: int | None) -> str:
    """Return `3.6 M` for 3,600,000."""
    if value is None:
        return NOTHING
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{value / size:.3g} {unit}" if value < 999.5 * size else f"{value / size:.0f} {unit}"
    return str(value)


def show_depth(depth: int | None, blocks: int) -> str:
    """Return how many of the blocks are frozen."""
    return NOTHING if depth is None else f"{depth}/{blocks}"


def is_share(bounds: Bounds) -> bool:
    """Tell whether a metric lies between -1 and 1, so that its leading 0 says nothing."""
    return bounds[0] >= -1 and bounds[1] <= 1


def show_share(value: float, *, digits: int) -> str:
    """Return a number between -1 and 1 without its leading 0."""
    text = _with_decimals(value, digits)
    return text.replace("0.", ".", 1) if text.removeprefix("-").startswith("0.") else text


def _with_decimals(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}" if abs(value) < 1e9 else f"{value:.2e}"
    return text.removeprefix("-") if not float(text) else text


def _decimals(value: float, digits: int) -> int:
    """Return how many decimals show `digits` significant ones, six at most."""
    if not value:
        return digits - 1
    return min(6, max(0, digits - 1 - math.floor(math.log10(abs(value)))))
