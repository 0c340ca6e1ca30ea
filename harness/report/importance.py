"""Importance: how much each searched value told an arm's best trials from the others."""

from __future__ import annotations

from collections.abc import Mapping

from harness.judge.comparison import Cell
from harness.report import numbers
from harness.report.blocks import Block
from harness.report.drawing import (
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
from harness.report.scale import Scale

LEFT, RIGHT, TOP, ROW, HEAD, GAP, FOOT = 120.0, 320.0, 4.0, 18.0, 22.0, 8.0, 20.0
LONGEST = 15
TICKS = {0.0: "0", 0.25: ".25", 0.5: ".50", 0.75: ".75", 1.0: "1"}


def draw_importance(block: Block, styles: Mapping[str, Style]) -> Drawing | None:
    """Return the bars of a block's arms, one group an arm; None where no arm was weighed."""
    arms = [cell for cell in block.arms if cell.importance is not None and cell.importance.shares]
    if not arms:
        return None
    x = Scale(low=0, high=1, start=LEFT, end=RIGHT)
    lines: list[Line] = []
    marks: list[Mark] = []
    labels: list[Label] = []
    y = TOP
    for cell in arms:
        assert cell.importance is not None
        style = styles[cell.arm]
        name = f"{fit_name(cell.arm, 30)} · {cell.importance.trials} trials"
        marks.append(Mark(x=8, y=y + 10, shape=style.shape, colour=style.colour))
        labels.append(Label(x=20, y=y + 14, text=name, kind="name"))
        y += HEAD
        for value, share in cell.importance.shares:
            middle = y + ROW / 2
            path = draw_across(middle, x.place(0), x.place(share))
            lines.append(Line(path=path, kind="bar", colour=style.colour))
            labels.append(Label(x=LEFT - 8, y=middle + 4, text=fit_name(value, LONGEST), anchor="end"))
            shown = numbers.show_share(share, digits=2)
            labels.append(Label(x=WIDTH - 2, y=middle + 4, text=shown, anchor="end", kind="value"))
            y += ROW
        y += GAP
    grid = [Line(path=draw_down(x.place(tick), TOP + HEAD, y), kind="grid") for tick in TICKS]
    labels += [Label(x=x.place(tick), y=y + 14, text=text, anchor="middle") for tick, text in TICKS.items()]
    return Drawing(
        title=f"{block.task.name}: share of each searched value",
        words="; ".join(_tell(cell) for cell in arms),
        height=y + FOOT,
        lines=(*grid, *lines),
        marks=tuple(marks),
        labels=tuple(labels),
    )


def _tell(cell: Cell) -> str:
    assert cell.importance is not None
    shares = (f"{name} {numbers.show_share(share, digits=2)}" for name, share in cell.importance.shares)
    return f"{cell.arm}: {', '.join(shares)}"
