"""Learning curves: the score of each arm's best trial, over the share of the training rows that it saw."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from harness.judge.comparison import Cell
from harness.judge.learning import CurvePoint
from harness.report import numbers
from harness.report.axes import End, Foot, draw_band, draw_feet, draw_grid, label_beside
from harness.report.blocks import Block
from harness.report.drawing import (
    Drawing,
    Label,
    Line,
    Mark,
    Style,
    draw_through,
)
from harness.report.learning import show_fraction, tell_curve
from harness.report.scale import Scale, fit_scale

HEIGHT, TOP, BOTTOM, LEFT, RIGHT = 246.0, 12.0, 190.0, 34.0, 274.0
INSET, APART = 20.0, 34.0
TICKS = 5

Curve = Sequence[CurvePoint]


def draw_fractions(block: Block, styles: Mapping[str, Style]) -> Drawing | None:
    """Return the plot of one task and backbone; None where no arm has two points."""
    arms = {cell.arm: curve for cell in block.arms if len(curve := _read_points(cell)) > 1}
    if not arms:
        return None
    baselines = {cell.arm: curve for cell in block.baselines if len(curve := _read_points(cell)) > 1}
    y = _fit_scores(list(arms.values()), list(baselines.values()))
    points = {point.fraction: point for curve in arms.values() for point in curve}
    x = Scale(
        low=math.log10(min(points)), high=0, start=LEFT + INSET, end=RIGHT - INSET
    )  # by factors, not by rows
    lines, labels = _draw_axes(block, x, y, [points[fraction] for fraction in sorted(points, reverse=True)])
    shown = {arm: curve for arm, curve in baselines.items() if _fits(curve, y)}
    return Drawing(
        title=f"{block.task.name}: {block.task.metric} by share of training rows",
        words="; ".join(
            tell_curve(block, cell) for cell in (*block.arms, *block.baselines) if _read_points(cell)
        ),
        height=HEIGHT,
        lines=(
            *lines,
            *(line for arm, curve in arms.items() for line in _draw_band(curve, styles[arm], x, y)),
            *(Line(path=draw_through(_trace(curve, x, y)), kind="baseline") for curve in shown.values()),
            *(
                Line(path=draw_through(_trace(curve, x, y)), kind="curve", colour=styles[arm].colour)
                for arm, curve in arms.items()
            ),
        ),
        marks=tuple(mark for arm, curve in arms.items() for mark in _mark(block, styles[arm], curve, x, y)),
        labels=(*labels, *_label_baselines(block, baselines, y)),
    )


def _read_points(cell: Cell) -> Curve:
    return () if cell.learning_curve is None else cell.learning_curve.points


def _fit_scores(arms: Sequence[Curve], baselines: Sequence[Curve]) -> Scale:
    """Return a scale of the arms' scores and of what is not far from them: a band may be cut, no score is."""
    scores = [point.score for curve in arms for point in curve]
    ends = [end for curve in arms for point in curve for end in (point.low, point.high) if end is not None]
    reach = max(scores) - min(scores)
    low, high = min(scores) - reach, max(scores) + reach
    near = [point.score for curve in baselines for point in curve]
    shown = [
        *scores,
        *(score for score in near if low <= score <= high),
        *(min(high, max(low, end)) for end in ends),
    ]
    return fit_scale(shown, start=BOTTOM, end=TOP)


def _draw_axes(block: Block, x: Scale, y: Scale, points: Curve) -> tuple[list[Line], list[Label]]:
    """Return the grid, and below it each share with its rows, as far as there is room: the largest has it first."""
    feet: list[Foot] = []
    last = math.inf
    for point in points:
        place = x.place(math.log10(point.fraction))
        room = last - place >= APART
        last = place if room else last
        feet.append(Foot(place=place, texts=_name_share(point) if room else ()))
    lines, labels = draw_grid(y, block.task.bounds, TICKS, left=LEFT, right=RIGHT)
    below, told = draw_feet(feet, "training rows", bottom=BOTTOM, left=LEFT, right=RIGHT)
    return [*lines, *below], [*labels, *told]


def _name_share(point: CurvePoint) -> tuple[str, str]:
    return show_fraction(point.fraction), f"{point.n_train:.0f}"


def _trace(curve: Curve, x: Scale, y: Scale) -> list[tuple[float, float]]:
    return [(x.place(math.log10(point.fraction)), y.place(point.score)) for point in curve]


def _draw_band(curve: Curve, style: Style, x: Scale, y: Scale) -> list[Line]:
    known = [
        (x.place(math.log10(point.fraction)), point.low, point.high)
        for point in curve
        if point.low is not None and point.high is not None
    ]
    return draw_band(known, y, style.colour)


def _mark(block: Block, style: Style, curve: Curve, x: Scale, y: Scale) -> list[Mark]:
    marks = []
    for point, (across, down) in zip(curve, _trace(curve, x, y), strict=True):
        estimate = numbers.show_estimate(point.score, point.low, point.high, block.task.bounds)
        hint = f"{style.arm}: {estimate} with {show_fraction(point.fraction)}"
        marks.append(Mark(x=across, y=down, shape=style.shape, colour=style.colour, hint=hint))
    return marks


def _label_baselines(block: Block, baselines: Mapping[str, Curve], y: Scale) -> list[Label]:
    ends = [
        End(name=arm, score=curve[-1].score, drawn=_fits(curve, y))
        for arm, curve in sorted(baselines.items())
    ]
    return label_beside(ends, y, block.task.bounds, right=RIGHT)


def _fits(curve: Curve, y: Scale) -> bool:
    return all(y.low <= point.score <= y.high for point in curve)
