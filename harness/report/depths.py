"""Score against depth: where each arm's best trial stands, over how many blocks it froze."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from harness.judge.comparison import Cell
from harness.report import numbers
from harness.report.axes import End, Foot, draw_feet, draw_grid, label_beside
from harness.report.bands import dot_depths, draw_bands, list_ends, tell_depths
from harness.report.blocks import Block
from harness.report.drawing import (
    Drawing,
    Label,
    Line,
    Mark,
    Style,
    draw_across,
    draw_down,
)
from harness.report.scale import Scale, fit_scale

HEIGHT, TOP, BOTTOM, LEFT, RIGHT = 232.0, 12.0, 190.0, 34.0, 274.0
INSET, DODGE = 20.0, 10.0
TICKS = 5


def draw_depths(block: Block, styles: Mapping[str, Style]) -> Drawing | None:
    """Return the plot of one task and backbone; None where no arm has a score."""
    arms = [cell for cell in block.arms if _shows(cell) and cell.depth is not None]
    if not arms:
        return None
    y = _fit_scores(block, arms)
    blocks = max(cell.blocks for cell in arms)
    x = Scale(low=0, high=max(blocks, 1), start=LEFT + INSET, end=RIGHT - INSET)
    lines, labels = _draw_axes(block, x, y, blocks)
    spots = _dodge(arms, x)
    return Drawing(
        title=f"{block.task.name}: {block.task.metric} by frozen blocks",
        words=_tell(block, arms),
        height=HEIGHT,
        lines=(
            *lines,
            *draw_bands(arms, x, y, styles),
            *_draw_baselines(block, y),
            *_draw_intervals(arms, spots, y, styles),
        ),
        marks=(
            *dot_depths(block, arms, x, y, styles),
            *(_mark(block, cell, spot, y, styles) for cell, spot in zip(arms, spots, strict=True)),
        ),
        labels=(*labels, *_label_baselines(block, y)),
    )


def _fit_scores(block: Block, arms: Sequence[Cell]) -> Scale:
    """Return a scale of the arms' intervals and of the baselines that are not far from them."""
    ends = [value for cell in arms for value in (cell.score, cell.low, cell.high) if value is not None]
    ends += list_ends(arms, ends, block.task.bounds)
    reach = max(ends) - min(ends)
    near = [
        cell.score
        for cell in block.baselines
        if cell.score is not None and min(ends) - reach <= cell.score <= max(ends) + reach
    ]
    return fit_scale([*ends, *near], start=BOTTOM, end=TOP)


def _draw_axes(block: Block, x: Scale, y: Scale, blocks: int) -> tuple[list[Line], list[Label]]:
    depths = range(0, blocks + 1, math.ceil(max(blocks, 1) / 8))
    feet = [Foot(place=x.place(depth), texts=(str(depth),)) for depth in depths]
    lines, labels = draw_grid(y, block.task.bounds, TICKS, left=LEFT, right=RIGHT)
    below, told = draw_feet(feet, f"frozen blocks (of {blocks})", bottom=BOTTOM, left=LEFT, right=RIGHT)
    return [*lines, *below], [*labels, *told]


def _dodge(arms: Sequence[Cell], x: Scale) -> list[float]:
    """Return a place for each arm, side by side where several have one depth."""
    spots = []
    for cell in arms:
        beside = [other.arm for other in arms if other.depth == cell.depth]
        shift = beside.index(cell.arm) - (len(beside) - 1) / 2
        spots.append(round(x.place(cell.depth or 0) + shift * DODGE, 1))
    return spots


def _draw_intervals(
    arms: Sequence[Cell], spots: Sequence[float], y: Scale, styles: Mapping[str, Style]
) -> list[Line]:
    return [
        Line(
            path=draw_down(spot, y.place(cell.low), y.place(cell.high)),
            kind="interval",
            colour=styles[cell.arm].colour,
        )
        for cell, spot in zip(arms, spots, strict=True)
        if cell.low is not None and cell.high is not None
    ]


def _mark(block: Block, cell: Cell, spot: float, y: Scale, styles: Mapping[str, Style]) -> Mark:
    assert cell.score is not None
    style = styles[cell.arm]
    hint = f"{cell.arm}: {_show(block, cell)}"
    return Mark(x=spot, y=y.place(cell.score), shape=style.shape, colour=style.colour, hint=hint)


def _draw_baselines(block: Block, y: Scale) -> list[Line]:
    return [
        Line(path=draw_across(y.place(cell.score), LEFT, RIGHT), kind="baseline")
        for cell in block.baselines
        if cell.score is not None and y.low <= cell.score <= y.high
    ]


def _label_baselines(block: Block, y: Scale) -> list[Label]:
    ends = [
        End(name=cell.arm, score=cell.score, drawn=y.low <= cell.score <= y.high)
        for cell in block.baselines
        if cell.score is not None and math.isfinite(cell.score)
    ]
    return label_beside(ends, y, block.task.bounds, right=RIGHT)


def _tell(block: Block, arms: Sequence[Cell]) -> str:
    told = [f"{cell.arm} {_show(block, cell)}" for cell in arms]
    lines = [
        f"{cell.arm} {numbers.show_score(cell.score, block.task.bounds, digits=2)}"
        for cell in block.baselines
    ]
    told += tell_depths(block, arms)
    return "; ".join(told) + (f". Baselines: {', '.join(lines)}" if lines else "")


def _show(block: Block, cell: Cell) -> str:
    estimate = numbers.show_estimate(cell.score, cell.low, cell.high, block.task.bounds)
    return f"{estimate}, {cell.depth} of {cell.blocks} blocks frozen"


def _shows(cell: Cell) -> bool:
    return cell.score is not None and math.isfinite(cell.score)
