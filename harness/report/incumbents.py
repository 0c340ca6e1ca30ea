"""Incumbent curves: the best score that a search had found after each trial."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from harness.record.incumbents import Incumbents
from harness.report import numbers
from harness.report.axes import Foot, draw_feet, draw_grid
from harness.report.blocks import Block
from harness.report.drawing import WIDTH, Drawing, Label, Line, Mark, Style
from harness.report.scale import Scale, fit_scale

HEIGHT, TOP, BOTTOM, LEFT, RIGHT = 190.0, 10.0, 148.0, 40.0, WIDTH - 14
TICKS = 4

Curve = Sequence[tuple[int, float]]


def draw_incumbents(block: Block, incumbents: Incumbents, styles: Mapping[str, Style]) -> Drawing | None:
    """Return the curves of a block's arms; None where no search had more than one trial to choose from."""
    curves = {
        cell.arm: [
            (trial, best) for trial, best in incumbents.curves.get(cell.study, ()) if math.isfinite(best)
        ]
        for cell in block.arms
    }
    known = {arm: curve for arm, curve in curves.items() if curve}
    last = max((trial for curve in known.values() for trial, _ in curve), default=0)
    if not last:
        return None
    y = fit_scale((best for curve in known.values() for _, best in curve), start=BOTTOM, end=TOP)
    x = Scale(low=1, high=last + 1, start=LEFT + 8, end=RIGHT - 6)
    lines, labels = _draw_axes(block, x, y, last)
    for arm, curve in known.items():
        lines.append(Line(path=_step(curve, x, y), kind="curve", colour=styles[arm].colour))
    return Drawing(
        title=f"{block.task.name}: best mean {block.task.metric} by trial",
        words="; ".join(_tell(block, arm, curve) for arm, curve in known.items()),
        height=HEIGHT,
        lines=tuple(lines),
        marks=tuple(mark for arm, curve in known.items() for mark in _mark(block, styles[arm], curve, x, y)),
        labels=tuple(labels),
    )


def _draw_axes(block: Block, x: Scale, y: Scale, last: int) -> tuple[list[Line], list[Label]]:
    trials = range(1, last + 2, math.ceil((last + 1) / 8))
    feet = [Foot(place=x.place(trial), texts=(str(trial),)) for trial in trials]
    lines, labels = draw_grid(y, block.task.bounds, TICKS, left=LEFT, right=RIGHT)
    below, told = draw_feet(feet, "trials", bottom=BOTTOM, left=LEFT, right=RIGHT)
    return [*lines, *below], [*labels, *told]


def _step(curve: Curve, x: Scale, y: Scale) -> str:
    (first, start), *others = curve
    steps = "".join(f"H{x.place(trial + 1):g}V{y.place(best):g}" for trial, best in others)
    return f"M{x.place(first + 1):g},{y.place(start):g}{steps}"


def _mark(block: Block, style: Style, curve: Curve, x: Scale, y: Scale) -> list[Mark]:
    """Return a mark wherever the best trial changed."""
    marks = []
    before: float | None = None
    for trial, best in curve:
        if best != before:
            hint = f"{style.arm}: {numbers.show_score(best, block.task.bounds)} at trial {trial + 1}"
            marks.append(
                Mark(x=x.place(trial + 1), y=y.place(best), shape=style.shape, colour=style.colour, hint=hint)
            )
        before = best
    return marks


def _tell(block: Block, arm: str, curve: Curve) -> str:
    (first, start), (_, best) = curve[0], curve[-1]
    bounds = block.task.bounds
    return f"{arm} {numbers.show_score(start, bounds)} at trial {first + 1}, {numbers.show_score(best, bounds)} at last"
