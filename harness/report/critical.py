"""Critical-difference diagram: mean ranks on a line, and bars over what cannot be told apart (Demšar 2006, fig. 1)."""

from __future__ import annotations

from collections.abc import Mapping

from harness.judge.ranking_test import RankingTest
from harness.report.drawing import (
    SHAPES,
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

LEFT, RIGHT = 112.0, 318.0
RULER, AXIS, LANE, ROW, FOOT = 12.0, 48.0, 9.0, 20.0, 8.0
TICK, OVERHANG = 4.0, 3.0
LONGEST = 15
TICKS = 8


def draw_critical_difference(test: RankingTest, styles: Mapping[str, Style]) -> Drawing:
    """Return the diagram: one row a method, best first, led up to its mean rank; a bar for each clique."""
    x = Scale(low=1, high=len(test.methods), start=LEFT, end=RIGHT)
    top = AXIS + LANE * (len(test.cliques) + 0.5)  # below the bars
    rows = [top + ROW * (place + 0.5) for place in range(len(test.methods))]
    ranks = dict(zip(test.methods, test.mean_ranks, strict=True))
    lines, labels = _draw_axis(x, test)
    marks = []
    for method, y in zip(test.methods, rows, strict=True):
        at, style = x.place(ranks[method]), styles.get(method, Style(arm=method, colour=0, shape=SHAPES[0]))
        lines.append(Line(path=f"M{LEFT - 4:g},{y:g}H{at:g}V{AXIS:g}", kind="leader"))
        hint = f"{method}: mean rank {ranks[method]:.2f}"
        marks.append(Mark(x=at, y=y, shape=style.shape, colour=style.colour, hint=hint))
        labels.append(Label(x=LEFT - 8, y=y + 4, text=fit_name(method, LONGEST), anchor="end", kind="name"))
        labels.append(Label(x=WIDTH - 2, y=y + 4, text=f"{ranks[method]:.2f}", anchor="end", kind="value"))
    for lane, clique in enumerate(test.cliques, start=1):
        ends = [x.place(ranks[method]) for method in (clique[0], clique[-1])]
        y = AXIS + LANE * lane
        lines.append(Line(path=draw_across(y, ends[0] - OVERHANG, ends[1] + OVERHANG), kind="clique"))
    return Drawing(
        title=f"Mean ranks over {test.datasets} tasks and their critical difference",
        words=_tell(test),
        height=top + ROW * len(test.methods) + FOOT,
        lines=tuple(lines),
        marks=tuple(marks),
        labels=tuple(labels),
    )


def _draw_axis(x: Scale, test: RankingTest) -> tuple[list[Line], list[Label]]:
    """Return the line of ranks with its ticks, and above it the critical difference as a ruler."""
    ticks = x.ticks(TICKS)
    whole = [tick for tick in ticks if tick == round(tick) and tick >= 1]
    end = x.place(1 + test.cd)
    lines = [
        Line(path=draw_across(RULER, LEFT, end), kind="zero"),
        *(Line(path=draw_down(at, RULER - TICK, RULER + TICK), kind="zero") for at in (LEFT, end)),
        Line(path=draw_across(AXIS, LEFT, RIGHT), kind="zero"),
        *(Line(path=draw_down(x.place(tick), AXIS - TICK, AXIS), kind="zero") for tick in whole),
    ]
    labels = [
        Label(x=LEFT - 8, y=RULER + 4, text="difference", anchor="end"),
        Label(x=end + 6, y=RULER + 4, text=f"{test.cd:.2f}", kind="value"),
        Label(x=LEFT - 8, y=AXIS + 4, text="mean rank", anchor="end"),
        *(Label(x=x.place(tick), y=AXIS - 8, text=f"{tick:.0f}", anchor="middle") for tick in whole),
    ]
    return lines, labels


def _tell(test: RankingTest) -> str:
    ranks = ", ".join(
        f"{method} {rank:.2f}" for method, rank in zip(test.methods, test.mean_ranks, strict=True)
    )
    alike = "; ".join(f"not told apart: {', '.join(clique)}" for clique in test.cliques)
    return f"{ranks}; critical difference {test.cd:.2f}" + (f"; {alike}" if alike else "")
