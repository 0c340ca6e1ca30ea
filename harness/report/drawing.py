"""Drawing: lines, marks and words at their places, which a page only has to copy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from harness.judge.comparison import Comparison
from harness.report.layout import sanitise, shorten

WIDTH = 360.0
COLOURS = 7  # as many as the style sheet has; with the shapes, 42 arms look different
SHAPES = (
    "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0z",
    "M-3.6,-3.6h7.2v7.2h-7.2z",
    "M0,-4.8L4.6,3.6H-4.6z",
    "M0,-5.2L5.2,0L0,5.2L-5.2,0z",
    "M0,4.8L4.6,-3.6H-4.6z",
    "M-1.6,-4.6h3.2v3h3v3.2h-3v3h-3.2v-3h-3v-3.2h3z",
)
DOT = "M-1.8,0a1.8,1.8 0 1,0 3.6,0a1.8,1.8 0 1,0 -3.6,0z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What tells an arm from others: the number of a colour, and the path of a shape."""

    arm: str
    colour: int
    shape: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A stroke, or what it encloses where it is a band: `path` is SVG's."""

    path: str
    kind: Literal[
        "grid", "zero", "baseline", "interval", "dumbbell", "curve", "thin", "band", "bar", "leader", "clique"
    ]
    colour: int | None = None  # None: the ink of its kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A shape at a place; `hint` is shown by whoever points at it."""

    x: float
    y: float
    shape: str
    colour: int
    kind: Literal["full", "hollow", "faint"] = "full"
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A few words at a place."""

    x: float
    y: float
    text: str
    anchor: Literal["start", "middle", "end"] = "start"
    kind: Literal["tick", "name", "value"] = "tick"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """One plot; `words` say what it shows to whoever cannot see it."""

    title: str  # "": an ornament of figures that stand beside it
    words: str = ""
    width: float = WIDTH
    height: float
    lines: tuple[Line, ...] = ()
    marks: tuple[Mark, ...] = ()
    labels: tuple[Label, ...] = ()


def style_arms(comparison: Comparison) -> Mapping[str, Style]:
    """Return every arm's style, in the order of the ranking."""
    ranked = (row.arm for row in comparison.ranking.rows)
    names = dict.fromkeys((*ranked, *(cell.arm for cell in comparison.cells if cell.kind == "arm")))
    return {
        arm: Style(arm=arm, colour=place % COLOURS, shape=SHAPES[place % len(SHAPES)])
        for place, arm in enumerate(names)
    }


def draw_across(y: float, start: float, end: float) -> str:
    """Return the path of a horizontal stroke."""
    return f"M{start:g},{y:g}H{end:g}"


def draw_down(x: float, start: float, end: float) -> str:
    """Return the path of a vertical stroke."""
    return f"M{x:g},{start:g}V{end:g}"


def draw_through(places: Iterable[tuple[float, float]]) -> str:
    """Return the path of a line through places."""
    return "M" + "L".join(f"{x:g},{y:g}" for x, y in places)


def fit_name(name: str, columns: int) -> str:
    """Return a name that takes at most so many columns."""
    return shorten(sanitise(name), columns)


def spread(places: Iterable[float], *, apart: float, top: float, bottom: float) -> list[float]:
    """Return sorted places moved as little as needed to lie `apart`, between top and bottom where they fit."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, top, moved[-1] + apart if moved else top))
    limit = bottom
    for number in reversed(range(len(moved))):
        moved[number] = min(moved[number], limit)
        limit = moved[number] - apart
    return moved
