"""Optimism: how much the raw score of each arm's best trial adds to the corrected one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.judge.comparison import Cell
from harness.report import numbers
from harness.report.blocks import Block
from harness.report.drawing import Drawing, Line, Mark, Style, draw_across
from harness.report.scale import Scale, fit_scale
from harness.report.strips import (
    LEFT,
    RIGHT,
    draw_frame,
    finish_strip,
    is_known,
    join_words,
    label_value,
    place_rows,
)


def draw_optimism(blocks: Sequence[Block], styles: Mapping[str, Style]) -> list[tuple[Block, Drawing]]:
    """Return a strip a block: the corrected score, the raw score of the best trial, and what lies between."""
    drawn = []
    for block in blocks:
        cells = [cell for cell in block.arms if is_known(cell.optimism, cell.score, cell.raw_best)]
        if not cells:
            continue
        ends = [
            value
            for cell in cells
            for value in (cell.score, cell.raw_best, cell.low, cell.high)
            if value is not None
        ]
        x = fit_scale(ends, start=LEFT, end=RIGHT)
        title = f"{block.task.name}: raw best against corrected {block.task.metric}"
        drawn.append((block, _draw_dumbbells(block, cells, x, styles, title)))
    return drawn


def _draw_dumbbells(
    block: Block, cells: Sequence[Cell], x: Scale, styles: Mapping[str, Style], title: str
) -> Drawing:
    lines, labels = draw_frame(block, cells, x, heading="optimism")
    marks = []
    for y, cell in place_rows(cells):
        assert cell.score is not None
        assert cell.raw_best is not None
        style, bounds = styles[cell.arm], block.task.bounds
        if cell.low is not None and cell.high is not None:
            path = draw_across(y, x.place(cell.low), x.place(cell.high))
            lines.append(Line(path=path, kind="interval", colour=style.colour))
        path = draw_across(y, x.place(cell.score), x.place(cell.raw_best))
        lines.append(Line(path=path, kind="dumbbell", colour=style.colour))
        raw = f"{cell.arm}: raw best {numbers.show_score(cell.raw_best, bounds)}"
        told = f"{cell.arm}: corrected {numbers.show_estimate(cell.score, cell.low, cell.high, bounds)}"
        marks += [
            Mark(x=x.place(cell.score), y=y, shape=style.shape, colour=style.colour, hint=told),
            Mark(
                x=x.place(cell.raw_best), y=y, shape=style.shape, colour=style.colour, kind="hollow", hint=raw
            ),
        ]
        labels.append(label_value(y, numbers.show_score(cell.optimism, bounds, digits=2)))
    words = join_words(
        (
            cell.arm,
            f"{numbers.show_score(cell.raw_best, block.task.bounds)} corrected to "
            f"{numbers.show_score(cell.score, block.task.bounds)}",
        )
        for cell in cells
    )
    return finish_strip(title, words, cells, lines, marks, labels)
