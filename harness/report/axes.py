"""Axes: what several plots of scores share: the grid, the names at the ends of lines, and bands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.report import numbers
from harness.report.drawing import Label, Line, draw_across, draw_down, draw_through, fit_name, spread
from harness.report.scale import Scale

LINE_HEIGHT, FOOT_HEIGHT = 12.0, 14.0
ROOM, SHORT = 14, 9  # columns of a name: alone, and before a score


@dataclass(frozen=True, slots=True, kw_only=True)
class Foot:
    """A tick below a plot, with the lines that stand under it; none where there is no room."""

    place: float
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Where a line ends; one that is not drawn, as it lies beyond the plot, is told with its score."""

    name: str
    score: float
    drawn: bool


def draw_grid(
    y: Scale, bounds: numbers.Bounds, ticks: int, *, left: float, right: float
) -> tuple[list[Line], list[Label]]:
    """Return a line across the plot at about so many round scores, and the scores at its left."""
    values = y.ticks(ticks)
    lines = [Line(path=draw_across(y.place(value), left, right), kind="grid") for value in values]
    labels = [
        Label(x=left - 6, y=y.place(value) + 3.5, text=y.show(value, ticks, bounds), anchor="end")
        for value in values
    ]
    return lines, labels


def draw_feet(
    feet: Sequence[Foot], caption: str, *, bottom: float, left: float, right: float
) -> tuple[list[Line], list[Label]]:
    """Return the line below a plot with its ticks, and under them the caption."""
    lines = [Line(path=draw_down(foot.place, bottom, bottom + 4), kind="zero") for foot in feet]
    lines.append(Line(path=draw_across(bottom, left, right), kind="zero"))
    labels = [
        Label(x=foot.place, y=bottom + 17 + FOOT_HEIGHT * row, text=text, anchor="middle")
        for foot in feet
        for row, text in enumerate(foot.texts)
    ]
    below = bottom + 20 + FOOT_HEIGHT * max(len(foot.texts) for foot in feet)
    labels.append(Label(x=(left + right) / 2, y=below, text=caption, anchor="middle"))
    return lines, labels


def label_beside(ends: Iterable[End], y: Scale, bounds: numbers.Bounds, *, right: float) -> list[Label]:
    """Return the names of lines beside their ends, none over another."""
    top, bottom = y.end, y.start
    placed = [(min(bottom, max(top, y.place(end.score))), end) for end in ends]
    placed.sort(key=lambda each: (each[0], -each[1].score))  # from the top, as their scores go
    places = spread((place for place, _ in placed), apart=LINE_HEIGHT, top=top, bottom=bottom)
    return [
        Label(x=right + 5, y=place + 3.5, text=_name(end, y, bounds))
        for place, (_, end) in zip(places, placed, strict=True)
    ]


def draw_band(intervals: Sequence[tuple[float, float, float]], y: Scale, colour: int) -> list[Line]:
    """Return the band along (place, low, high), as far as the plot shows it; one interval alone makes none."""
    if len(intervals) < 2:
        return []
    upper = [(place, y.place_within(high)) for place, _, high in intervals]
    lower = [(place, y.place_within(low)) for place, low, _ in reversed(intervals)]
    return [Line(path=f"{draw_through([*upper, *lower])}z", kind="band", colour=colour)]


def _name(end: End, y: Scale, bounds: numbers.Bounds) -> str:
    if end.drawn:
        return fit_name(end.name, ROOM)
    arrow = "↓" if end.score < y.low else "↑" if end.score > y.high else ""
    return f"{fit_name(end.name, SHORT)} {numbers.show_score(end.score, bounds, digits=2)} {arrow}".rstrip()
