"""Ranks: each arm's mean rank with its interval, the best on top."""

from __future__ import annotations

from collections.abc import Mapping

from harness.judge.comparison import Ranking
from harness.report import numbers
from harness.report.drawing import WIDTH, Drawing, Label, Line, Mark, Style, draw_across, draw_down, fit_name
from harness.report.scale import Scale

LEFT, RIGHT, TOP, ROW, FOOT = 124.0, 274.0, 4.0, 22.0, 38.0
LONGEST = 16


def draw_ranks(ranking: Ranking, styles: Mapping[str, Style]) -> Drawing | None:
    """Return the ranking as a plot; None where no arm has a rank."""
    rows = [row for row in ranking.rows if row.mean_rank is not None]
    if not rows:
        return None
    last = max(2, len(rows))
    x = Scale(low=1, high=last, start=LEFT, end=RIGHT)
    bottom = TOP + ROW * len(rows)
    step = -(-last // 8)
    ticks = range(1, last + 1, step)
    lines = [Line(path=draw_down(x.place(tick), TOP, bottom), kind="grid") for tick in ticks]
    lines.append(Line(path=draw_across(bottom, LEFT, RIGHT), kind="zero"))
    labels = [Label(x=x.place(tick), y=bottom + 14, text=str(tick), anchor="middle") for tick in ticks]
    labels.append(Label(x=(LEFT + RIGHT) / 2, y=bottom + 30, text="mean rank (1 is best)", anchor="middle"))
    marks = []
    shown = [numbers.show_rank(row.mean_rank, row.low, row.high) for row in rows]
    for place, row in enumerate(rows):
        y = TOP + ROW * (place + 0.5)
        style = styles[row.arm]
        if row.low is not None and row.high is not None:
            path = draw_across(y, x.place(row.low), x.place(row.high))
            lines.append(Line(path=path, kind="interval", colour=style.colour))
        assert row.mean_rank is not None
        marks.append(Mark(x=x.place(row.mean_rank), y=y, shape=style.shape, colour=style.colour))
        name = fit_name(row.arm, LONGEST)
        labels.append(Label(x=LEFT - 10, y=y + 4, text=name, anchor="end", kind="name"))
        labels.append(Label(x=WIDTH - 2, y=y + 4, text=shown[place], anchor="end", kind="value"))
    return Drawing(
        title="Mean ranks",
        words="; ".join(f"{row.arm} {rank}" for row, rank in zip(rows, shown, strict=True)),
        height=bottom + FOOT,
        lines=tuple(lines),
        marks=tuple(marks),
        labels=tuple(labels),
    )
