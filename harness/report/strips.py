"""Strips: one row an arm, its name at the left and its figure at the right."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from harness.judge.comparison import Cell
from harness.report.blocks import Block
from harness.report.drawing import WIDTH, Drawing, Label, Line, Mark, draw_across, draw_down, fit_name
from harness.report.scale import Scale

LEFT, RIGHT, TOP, ROW, FOOT = 104.0, 312.0, 18.0, 24.0, 24.0
TICKS = 4
LONGEST = 15


def draw_frame(
    block: Block, cells: Sequence[Cell], x: Scale, *, heading: str
) -> tuple[list[Line], list[Label]]:
    """Return the grid with its ticks, what the figures are, and the arms' names."""
    bottom = find_bottom(cells)
    lines = [Line(path=draw_down(x.place(tick), TOP, bottom), kind="grid") for tick in x.ticks(TICKS)]
    lines.append(Line(path=draw_across(bottom, x.start, x.end), kind="zero"))
    labels = [
        Label(x=x.place(tick), y=bottom + 15, text=x.show(tick, TICKS, block.task.bounds), anchor="middle")
        for tick in x.ticks(TICKS)
    ]
    labels.append(Label(x=WIDTH - 2, y=TOP - 6, text=heading, anchor="end"))
    labels += [
        Label(x=LEFT - 8, y=y + 4, text=fit_name(cell.arm, LONGEST), anchor="end", kind="name")
        for y, cell in place_rows(cells)
    ]
    return lines, labels


def finish_strip(
    title: str,
    words: str,
    cells: Sequence[Cell],
    lines: Sequence[Line],
    marks: Sequence[Mark],
    labels: Sequence[Label],
) -> Drawing:
    """Return the strip as high as its rows."""
    return Drawing(
        title=title,
        words=words,
        height=find_bottom(cells) + FOOT,
        lines=tuple(lines),
        marks=tuple(marks),
        labels=tuple(labels),
    )


def label_value(y: float, text: str) -> Label:
    """Return the figure at the end of a row."""
    return Label(x=WIDTH - 2, y=y + 4, text=text, anchor="end", kind="value")


def place_rows(cells: Sequence[Cell]) -> Iterable[tuple[float, Cell]]:
    """Return each arm with the middle of its row."""
    return ((TOP + ROW * (place + 0.5), cell) for place, cell in enumerate(cells))


def find_bottom(cells: Sequence[Cell]) -> float:
    """Return where the last row ends."""
    return TOP + ROW * len(cells)


def is_known(*values: float | None) -> bool:
    """Tell whether all of the values are numbers."""
    return all(value is not None and math.isfinite(value) for value in values)


def join_words(pairs: Iterable[tuple[str, str]]) -> str:
    """Return in words what each arm's row shows."""
    return "; ".join(f"{arm} {text}" for arm, text in pairs)
