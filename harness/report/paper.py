"""Drawings as figures that a paper can set: PDF, SVG or PNG; matplotlib's door."""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import EnvironmentFault
from harness.report.drawing import WIDTH, Drawing, Label, Line, Mark, Style, fit_name
from harness.report.layout import measure, sanitise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.path import Path

Form = Literal["pdf", "png", "svg"]

COLUMN_PT = 241.0  # 85 mm, a column of most papers
POINT = COLUMN_PT / WIDTH  # of a drawing's unit: its text of 11 units becomes 7.4 pt
GUTTER, CAPTION, BELOW, LEGEND_ROW, LETTER = 24.0, 22.0, 12.0, 18.0, 7.2
STACKED = 3  # more panels stand in two columns
LONGEST = 40
# Okabe and Ito's colours, darkened where they would be pale on paper; every arm has its shape besides.
COLOURS = ("#0072b2", "#d55e00", "#00805c", "#b0578d", "#b87800", "#3d93cc", "#5c5c5c")
INK, SOFT, RULE, PAPER = "#1b1f24", "#57606a", "#d5dae0", "#ffffff"
STROKES = {  # width in a drawing's units, opacity, ink where a line has no colour
    "grid": (1.0, 1.0, RULE),
    "zero": (1.0, 1.0, SOFT),
    "baseline": (1.0, 1.0, SOFT),
    "interval": (2.0, 0.5, SOFT),
    "dumbbell": (3.0, 0.6, SOFT),
    "curve": (2.0, 1.0, SOFT),
    "thin": (1.0, 0.7, SOFT),
    "band": (0.0, 0.13, SOFT),
    "bar": (9.0, 1.0, SOFT),
    "leader": (1.0, 1.0, SOFT),
    "clique": (4.0, 1.0, INK),
}
DASHES = (0.0, (4.0, 3.0))
ALIGNED = {"start": "left", "middle": "center", "end": "right"}
SETTINGS: dict[Any, Any] = {  # the keys are a type of their own since matplotlib 3.11
    "pdf.fonttype": 42,  # letters stay letters: Type 3, the default, is refused by some publishers
    "svg.fonttype": "none",
    "svg.hashsalt": "harness",
    "text.usetex": False,
    "axes.unicode_minus": False,
}
UNDATED: dict[Form, dict[str, Any]] = {
    "pdf": {"CreationDate": None},
    "svg": {"Date": None},
    "png": {},
}
# Where DejaVu lacks a letter; those that are installed are asked in this order.
FURTHER = ("Noto Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans Arabic", "Noto Sans Hebrew",
           "Noto Sans Devanagari", "Noto Sans Thai", "WenQuanYi Zen Hei", "Noto Emoji")  # fmt: skip
STEP = re.compile(r"([MLHVhvz])([-\d.,\s]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A drawing under its caption; without a name it has none."""

    drawing: Drawing
    name: str = ""
    metric: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Panels, and the arms that their marks stand for where the panels do not name them."""

    panels: tuple[Panel, ...]
    legend: tuple[Style, ...] = ()


def render(figure: Figure, form: Form) -> bytes:
    """Return a figure as a file: the same bytes for the same figure, fonts and version of matplotlib.

    Names are text: no sign in them is mathematics. Raises `EnvironmentFault` where matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure as Canvas
    except ImportError as error:
        raise EnvironmentFault(
            f"figures need the package 'matplotlib' ({error}): pip install 'finetune-harness[figures]'"
        ) from None

    columns = 1 if len(figure.panels) <= STACKED else 2
    width = columns * WIDTH + (columns - 1) * GUTTER
    spots, bottom = _arrange(figure.panels, columns)
    keys, height = _arrange_legend(figure.legend, width, bottom)
    with mpl.rc_context(), warnings.catch_warnings():
        # A letter that no font has is drawn as a box: that is no reason to have no figure.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        mpl.rcdefaults()  # nobody's matplotlibrc
        mpl.rcParams.update(SETTINGS | {"font.family": _find_fonts()})
        canvas = Canvas(figsize=(width * POINT / 72, height * POINT / 72), facecolor=PAPER)
        axes = canvas.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, width), ylim=(height, 0))
        axes.axis("off")
        for panel, (x, y) in zip(figure.panels, spots, strict=True):
            _draw_panel(axes, panel, x, y)
        for style, (x, y) in zip(figure.legend, keys, strict=True):
            _draw_mark(axes, Mark(x=x, y=y, shape=style.shape, colour=style.colour), 0, 0)
            _write(axes, Label(x=x + 10, y=y + 4, text=fit_name(style.arm, LONGEST), kind="name"), 0, 0)
        out = io.BytesIO()
        canvas.savefig(out, format=form, dpi=300, metadata=UNDATED[form])
    return out.getvalue()


def _arrange(panels: Sequence[Panel], columns: int) -> tuple[list[tuple[float, float]], float]:
    """Return where each panel's corner lies, row by row, and where the last row ends."""
    spots, y = [], 0.0
    for first in range(0, len(panels), columns):
        row = panels[first : first + columns]
        spots += [(place * (WIDTH + GUTTER), y) for place in range(len(row))]
        y += max(panel.drawing.height + (CAPTION if panel.name else 0) for panel in row) + BELOW
    return spots, y


def _arrange_legend(
    legend: Sequence[Style], width: float, top: float
) -> tuple[list[tuple[float, float]], float]:
    """Return where each key's mark lies, in lines as wide as the figure, and the figure's height."""
    keys: list[tuple[float, float]] = []
    x, y = 10.0, top + LEGEND_ROW / 2
    for style in legend:
        taken = 28 + LETTER * measure(fit_name(style.arm, LONGEST))
        if keys and x + taken > width:
            x, y = 10.0, y + LEGEND_ROW
        keys.append((x, y))
        x += taken
    return keys, y + LEGEND_ROW / 2 if legend else top


def _draw_panel(axes: Axes, panel: Panel, x: float, y: float) -> None:
    if panel.name:
        name = fit_name(panel.name, LONGEST)
        title = _write(axes, Label(x=2, y=13, text=name, kind="name"), x, y)
        title.set_fontweight("bold")
        metric = Label(x=WIDTH - 2, y=13, text=fit_name(panel.metric, 14), anchor="end")
        _write(axes, metric, x, y)
        y += CAPTION
    for line in panel.drawing.lines:
        _draw_line(axes, line, x, y)
    for mark in panel.drawing.marks:
        _draw_mark(axes, mark, x, y)
    for label in panel.drawing.labels:
        _write(axes, label, x, y)


def _draw_line(axes: Axes, line: Line, x: float, y: float) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.transforms import Affine2D

    width, opacity, ink = STROKES[line.kind]
    colour = ink if line.colour is None else COLOURS[line.colour]
    enclosed = line.kind == "band"
    stroke = PathPatch(
        _read_path(line.path),
        facecolor=colour if enclosed else "none",
        edgecolor="none" if enclosed else colour,
        alpha=opacity,
        linewidth=width * POINT,
        linestyle=DASHES if line.kind == "baseline" else "solid",
        capstyle="butt",
        joinstyle="round",
        clip_on=False,
        transform=Affine2D().translate(x, y) + axes.transData,
    )
    axes.add_patch(stroke)


def _draw_mark(axes: Axes, mark: Mark, x: float, y: float) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.transforms import Affine2D

    colour, hollow = COLOURS[mark.colour], mark.kind == "hollow"
    edge = colour if hollow else PAPER if mark.kind == "full" else "none"
    shape = PathPatch(
        _read_path(mark.shape),
        facecolor=PAPER if hollow else colour,
        edgecolor=edge,
        alpha=0.5 if mark.kind == "faint" else 1.0,
        linewidth=(1.6 if hollow else 1.0) * POINT,
        clip_on=False,
        zorder=3,
        transform=Affine2D().translate(x + mark.x, y + mark.y) + axes.transData,
    )
    axes.add_patch(shape)


def _write(axes: Axes, label: Label, x: float, y: float) -> Any:
    return axes.text(
        x + label.x,
        y + label.y,
        _settle(label.text),
        fontsize=11 * POINT,
        color=SOFT if label.kind == "tick" else INK,
        ha=ALIGNED[label.anchor],
        va="baseline",
        parse_math=False,  # a name may have a $
        zorder=4,
    )


def _settle(text: str) -> str:
    """Return text that every format can hold: what is no letter has no place in XML."""
    return "".join("\ufffd" if unicodedata.category(letter) == "Cn" else letter for letter in sanitise(text))


def _find_fonts() -> list[str]:
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in FURTHER if name in installed)]


def _read_path(text: str) -> Path:
    """Return the path that a drawing spells as SVG does: straight strokes, or a circle around 0."""
    from matplotlib.path import Path

    if radius := re.search(r"a([\d.]+),", text):
        return Path.circle((0, 0), float(radius[1]))
    points, codes = [], []
    for code, point in _walk(text):
        points.append(point)
        codes.append({"M": Path.MOVETO, "L": Path.LINETO, "z": Path.CLOSEPOLY}[code])
    return Path(points, codes)


def _walk(text: str) -> Iterator[tuple[str, tuple[float, float]]]:
    """Yield the steps of a path, each with the place where it ends."""
    x = y = 0.0
    for code, rest in STEP.findall(text):
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", rest)]
        if code in "ML":
            x, y = numbers
        if code in "Hh":
            x = numbers[0] + (x if code == "h" else 0)
        if code in "Vv":
            y = numbers[0] + (y if code == "v" else 0)
        yield code if code in "Mz" else "L", (x, y)
