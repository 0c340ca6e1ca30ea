"""Bands: the best trial at each depth that an arm tried, with the interval of its folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.judge.by_depth import DepthScore
from harness.judge.comparison import Cell
from harness.report import numbers
from harness.report.axes import draw_band
from harness.report.blocks import Block
from harness.report.drawing import DOT, Line, Mark, Style, draw_through
from harness.report.scale import Scale


def list_ends(arms: Sequence[Cell], near: Sequence[float], bounds: numbers.Bounds) -> list[float]:
    """Return what a scale of `near` has to show of the bands besides.

    Three folds can make a band from end to end of the metric, beside which nothing else could be seen: it is shown as
    far as the scores themselves reach, and again as far on both sides.
    """
    scores = [depth.score for cell in _list_banded(arms) for depth in cell.depths]
    if not scores:
        return []
    low, high = min(*near, *scores), max(*near, *scores)
    reach = high - low
    lowest, highest = max(low - reach, bounds[0]), min(high + reach, bounds[1])
    ends = [end for cell in _list_banded(arms) for depth in cell.depths for end in (depth.low, depth.high)]
    return [*scores, *(min(max(end, lowest), highest) for end in ends if end is not None)]


def draw_bands(arms: Sequence[Cell], x: Scale, y: Scale, styles: Mapping[str, Style]) -> list[Line]:
    """Return for each arm that tried several depths the band of their intervals, and a line through their scores."""
    lines: list[Line] = []
    for cell in _list_banded(arms):
        colour = styles[cell.arm].colour
        known = [
            (x.place(depth.depth), depth.low, depth.high)
            for depth in cell.depths
            if depth.low is not None and depth.high is not None
        ]
        lines += draw_band(known, y, colour)
        path = draw_through((x.place(depth.depth), y.place_within(depth.score)) for depth in cell.depths)
        lines.append(Line(path=path, kind="thin", colour=colour))
    return lines


def dot_depths(
    block: Block, arms: Sequence[Cell], x: Scale, y: Scale, styles: Mapping[str, Style]
) -> list[Mark]:
    """Return a dot for each depth that an arm with several tried."""
    return [
        Mark(
            x=x.place(depth.depth),
            y=y.place_within(depth.score),
            shape=DOT,
            colour=styles[cell.arm].colour,
            hint=f"{cell.arm}: {_show(block, depth)}",
        )
        for cell in _list_banded(arms)
        for depth in cell.depths
    ]


def tell_depths(block: Block, arms: Sequence[Cell]) -> list[str]:
    """Return in words what the bands show."""
    return [
        f"{cell.arm} by depth, raw: {', '.join(_show(block, depth) for depth in cell.depths)}"
        for cell in _list_banded(arms)
    ]


def _show(block: Block, depth: DepthScore) -> str:
    estimate = numbers.show_estimate(depth.score, depth.low, depth.high, block.task.bounds)
    return f"{depth.depth} frozen {estimate} of {numbers.count_noun(depth.trials, 'trial')}"


def _list_banded(arms: Sequence[Cell]) -> list[Cell]:
    return [cell for cell in arms if len(cell.depths) > 1]
