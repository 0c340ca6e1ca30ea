"""Figures: a comparison drawn for a paper, one file each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from harness.judge.comparison import Comparison
from harness.record.files import make_folder, write_whole
from harness.report import paper
from harness.report.blocks import Block, list_blocks
from harness.report.critical import draw_critical_difference
from harness.report.depths import draw_depths
from harness.report.drawing import Drawing, Style, style_arms
from harness.report.gaps import draw_gaps
from harness.report.importance import draw_importance
from harness.report.learning_plot import draw_fractions
from harness.report.optimism import draw_optimism
from harness.report.paper import Figure, Form, Panel
from harness.report.ranks import draw_ranks

FOLDER = "figures"


def write_figures(folder: Path, comparison: Comparison, form: Form) -> tuple[Path, ...]:
    """Write every figure that the comparison has something for into `figures/`, and return their paths.

    All are rendered before the first is written; a figure of an earlier time that has nothing to show now is removed.
    Raises `EnvironmentFault` where matplotlib is not installed.
    """
    figures = {name: draw(comparison) for name, draw in FIGURES.items()}
    rendered = {name: paper.render(figure, form) for name, figure in figures.items() if figure is not None}
    make_folder(folder / FOLDER)
    for name in figures.keys() - rendered.keys():
        (folder / FOLDER / f"{name}.{form}").unlink(missing_ok=True)
    paths = {folder / FOLDER / f"{name}.{form}": data for name, data in rendered.items()}
    for path, data in paths.items():
        write_whole(path, data)
    return tuple(paths)


def plot_ranking(comparison: Comparison) -> Figure | None:
    """Return the mean ranks with their intervals."""
    drawing = draw_ranks(comparison.ranking, style_arms(comparison))
    return None if drawing is None else Figure(panels=(Panel(drawing=drawing),))


def plot_critical(comparison: Comparison) -> Figure | None:
    """Return the critical-difference diagram; None where a test over tasks has no power."""
    test = comparison.ranking.test
    if test is None or not test.power:
        return None
    drawing = draw_critical_difference(test, style_arms(comparison))
    return Figure(panels=(Panel(drawing=drawing),))


def plot_depth(comparison: Comparison) -> Figure | None:
    """Return each block's scores over frozen blocks."""
    styles = style_arms(comparison)
    drawn = [(block, draw_depths(block, styles)) for block in list_blocks(comparison)]
    return _gather(drawn, legend=tuple(styles.values()))


def plot_gap(comparison: Comparison) -> Figure | None:
    """Return each block's differences between training and validation scores."""
    return _gather(draw_gaps(list_blocks(comparison), style_arms(comparison)))


def plot_optimism(comparison: Comparison) -> Figure | None:
    """Return each block's raw scores against the corrected ones."""
    return _gather(draw_optimism(list_blocks(comparison), style_arms(comparison)))


def plot_learning(comparison: Comparison) -> Figure | None:
    """Return each block's scores over the share of training rows."""
    styles = style_arms(comparison)
    drawn = [(block, draw_fractions(block, styles)) for block in list_blocks(comparison)]
    return _gather(drawn, legend=tuple(styles.values()))


def plot_importance(comparison: Comparison) -> Figure | None:
    """Return the importance of each arm's searched values."""
    styles = style_arms(comparison)
    return _gather([(block, draw_importance(block, styles)) for block in list_blocks(comparison)])


# A further figure is one more function here.
FIGURES: Mapping[str, Callable[[Comparison], Figure | None]] = {
    "ranking": plot_ranking,
    "critical": plot_critical,
    "depth": plot_depth,
    "gap": plot_gap,
    "optimism": plot_optimism,
    "learning": plot_learning,
    "importance": plot_importance,
}


def _gather(drawn: Iterable[tuple[Block, Drawing | None]], legend: tuple[Style, ...] = ()) -> Figure | None:
    panels = tuple(
        Panel(name=block.name, metric=block.task.metric, drawing=drawing)
        for block, drawing in drawn
        if drawing is not None
    )
    return Figure(panels=panels, legend=legend) if panels else None
