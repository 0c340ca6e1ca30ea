"""Strips: one row an arm, for what flatters it: the gap to its training score, the optimism of its raw score."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from harness.judge.comparison import Cell
from harness.report import numbers
from harness.report.blocks import Block
from harness.report.drawing import (
    DOT,
    WIDTH,
    Drawing,
    Label,
    Line,
    Mark,
    Style,
    draw_across,
    draw_down,
    fit_name,
)
from harness.report.scale import Scale, fit_scale

LEFT, RIGHT, TOP, ROW, FOOT = 104.0, 312.0, 18.0, 24.0, 24.0
TICKS = 4
TEST_COLUMN = 34.0  # what a second figure takes from the plot
LONGEST = 15


def draw_gaps(blocks: Sequence[Block], styles: Mapping[str, Style]) -> list[tuple[Block, Drawing]]:
    """Return a strip a block: an arm's gap, and faintly that of each fold; all shares are drawn to one scale."""
    shared = [value for block in blocks if numbers.is_share(block.task.bounds) for value in _list_gaps(block)]
    drawn = []
    for block in blocks:
        cells = [cell for cell in block.arms if _known(cell.gap)]
        if not cells:
            continue
        values = shared if numbers.is_share(block.task.bounds) else _list_gaps(block)
        tested = any(_known(cell.test_gap) for cell in cells)
        x = fit_scale([0.0, *values], start=LEFT, end=RIGHT - TEST_COLUMN * tested)
        title = f"{block.task.name}: training minus validation {block.task.metric}"
        drawn.append((block, _draw_gap(block, cells, x, styles, title)))
    return drawn


def draw_optimism(blocks: Sequence[Block], styles: Mapping[str, Style]) -> list[tuple[Block, Drawing]]:
    """Return a strip a block: the corrected score, the raw score of the best trial, and what lies between."""
    drawn = []
    for block in blocks:
        cells = [cell for cell in block.arms if _known(cell.optimism, cell.score, cell.raw_best)]
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


def _draw_gap(
    block: Block, cells: Sequence[Cell], x: Scale, styles: Mapping[str, Style], title: str
) -> Drawing:
    tested = any(_known(cell.test_gap) for cell in cells)
    lines, labels = _draw_frame(block, cells, x, heading="gap · test" if tested else "gap")
    marks = []
    for y, cell in _rows(cells):
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
        labels.append(_label_value(y, f"{text} · {_show_gap(block, cell.test_gap)}" if tested else text))
    lines.append(Line(path=draw_down(x.place(0), TOP, _bottom(cells)), kind="zero"))
    words = _tell((cell.arm, _tell_gap(block, cell)) for cell in cells)
    return _finish(title, words, cells, lines, marks, labels)


def _show_gap(block: Block, gap: float | None) -> str:
    return numbers.show_score(gap, block.task.bounds, digits=2)


def _tell_gap(block: Block, cell: Cell) -> str:
    told = _show_gap(block, cell.gap)
    if cell.test_gap is None:
        return told
    return f"{told}, validation minus test {_show_gap(block, cell.test_gap)}"


def _draw_dumbbells(
    block: Block, cells: Sequence[Cell], x: Scale, styles: Mapping[str, Style], title: str
) -> Drawing:
    lines, labels = _draw_frame(block, cells, x, heading="optimism")
    marks = []
    for y, cell in _rows(cells):
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
        labels.append(_label_value(y, numbers.show_score(cell.optimism, bounds, digits=2)))
    words = _tell(
        (
            cell.arm,
            f"{numbers.show_score(cell.raw_best, block.task.bounds)} corrected to "
            f"{numbers.show_score(cell.score, block.task.bounds)}",
        )
        for cell in cells
    )
    return _finish(title, words, cells, lines, marks, labels)


def _draw_frame(
    block: Block, cells: Sequence[Cell], x: Scale, *, heading: str
) -> tuple[list[Line], list[Label]]:
    bottom = _bottom(cells)
    lines = [Line(path=draw_down(x.place(tick), TOP, bottom), kind="grid") for tick in x.ticks(TICKS)]
    lines.append(Line(path=draw_across(bottom, x.start, x.end), kind="zero"))
    labels = [
        Label(x=x.place(tick), y=bottom + 15, text=x.show(tick, TICKS, block.task.bounds), anchor="middle")
        for tick in x.ticks(TICKS)
    ]
    labels.append(Label(x=WIDTH - 2, y=TOP - 6, text=heading, anchor="end"))
    labels += [
        Label(x=LEFT - 8, y=y + 4, text=fit_name(cell.arm, LONGEST), anchor="end", kind="name")
        for y, cell in _rows(cells)
    ]
    return lines, labels


def _finish(
    title: str,
    words: str,
    cells: Sequence[Cell],
    lines: Sequence[Line],
    marks: Sequence[Mark],
    labels: Sequence[Label],
) -> Drawing:
    return Drawing(
        title=title,
        words=words,
        height=_bottom(cells) + FOOT,
        lines=tuple(lines),
        marks=tuple(marks),
        labels=tuple(labels),
    )


def _label_value(y: float, text: str) -> Label:
    return Label(x=WIDTH - 2, y=y + 4, text=text, anchor="end", kind="value")


def _rows(cells: Sequence[Cell]) -> Iterable[tuple[float, Cell]]:
    return ((TOP + ROW * (place + 0.5), cell) for place, cell in enumerate(cells))


def _bottom(cells: Sequence[Cell]) -> float:
    return TOP + ROW * len(cells)


def _list_gaps(block: Block) -> list[float]:
    return [
        gap
        for cell in block.arms
        for gap in (cell.gap, cell.test_gap, *cell.fold_gaps)
        if gap is not None and math.isfinite(gap)
    ]


def _known(*values: float | None) -> bool:
    return all(value is not None and math.isfinite(value) for value in values)


def _tell(pairs: Iterable[tuple[str, str]]) -> str:
    return "; ".join(f"{arm} {text}" for arm, text in pairs)
