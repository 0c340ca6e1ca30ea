"""Gaps: how much better each arm scored on what it was trained with than on the validation folds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.judge.comparison import Cell
from harness.report import numbers
from harness.report.blocks import Block
from harness.report.drawing import DOT, Drawing, Line, Mark, Style, draw_across, draw_down
from harness.report.scale import Scale, fit_scale
from harness.report.strips import (
    LEFT,
    RIGHT,
    TOP,
    draw_frame,
    find_bottom,
    finish_strip,
    is_known,
    join_words,
    label_value,
    place_rows,
)

TEST_COLUMN = 34.0  # what a second figure takes from the plot


def draw_gaps(blocks: Sequence[Block], styles: Mapping[str, Style]) -> list[tuple[Block, Drawing]]:
    """Return a strip a block: an arm's gap, and faintly that of each fold; all shares are drawn to one scale."""
    shared = [value for block in blocks if numbers.is_share(block.task.bounds) for value in _list_gaps(block)]
    drawn = []
    for block in blocks:
        cells = [cell for cell in block.arms if is_known(cell.gap)]
        if not cells:
            continue
        values = shared if numbers.is_share(block.task.bounds) else _list_gaps(block)
        tested = any(is_known(cell.test_gap) for cell in cells)
        x = fit_scale([0.0, *values], start=LEFT, end=RIGHT - TEST_COLUMN * tested)
        title = f"{block.task.name}: training minus validation {block.task.metric}"
        drawn.append((block, _draw_gap(block, cells, x, styles, title)))
    return drawn


def _draw_gap(
    block: Block, cells: Sequence[Cell], x: Scale, styles: Mapping[str, Style], title: str
) -> Drawing:
    tested = any(is_known(cell.test_gap) for cell in cells)
    lines, labels = draw_frame(block, cells, x, heading="gap · test" if tested else "gap")
    marks = []
    for y, cell in place_rows(cells):
        assert cell.gap is not None
        style, text = styles[cell.arm], _show_gap(block, cell.gap)
        lines.append(
            Line(path=draw_across(y, x.place(0), x.place(cell.gap)), kind="dumbbell", colour=style.colour)
        )
        marks += [
            Mark(x=x.place(gap), y=y, shape=DOT, colour=style.colour, kind="faint")
            for gap in cell.fold_gaps
            if math.isfinite(gap)
        ]
        hint = f"{cell.arm}: gap {text}"
        marks.append(Mark(x=x.place(cell.gap), y=y, shape=style.shape, colour=style.colour, hint=hint))
        if cell.test_gap is not None:
            beside = _show_gap(block, cell.test_gap)
            mark = Mark(x=x.place(cell.test_gap), y=y, shape=style.shape, colour=style.colour, kind="hollow")
            marks.append(replace(mark, hint=f"{cell.arm}: validation minus test {beside}"))
        labels.append(label_value(y, f"{text} · {_show_gap(block, cell.test_gap)}" if tested else text))
    lines.append(Line(path=draw_down(x.place(0), TOP, find_bottom(cells)), kind="zero"))
    words = join_words((cell.arm, _tell_gap(block, cell)) for cell in cells)
    return finish_strip(title, words, cells, lines, marks, labels)


def _show_gap(block: Block, gap: float | None) -> str:
    return numbers.show_score(gap, block.task.bounds, digits=2)


def _tell_gap(block: Block, cell: Cell) -> str:
    told = _show_gap(block, cell.gap)
    if cell.test_gap is None:
        return told
    return f"{told}, validation minus test {_show_gap(block, cell.test_gap)}"


def _list_gaps(block: Block) -> list[float]:
    return [
        gap
        for cell in block.arms
        for gap in (cell.gap, cell.test_gap, *cell.fold_gaps)
        if gap is not None and math.isfinite(gap)
    ]
