"""Learning curves in words: the scores of a block by the share of the training rows."""

from __future__ import annotations

from dataclasses import dataclass

from harness.judge.comparison import Cell
from harness.judge.learning import CurvePoint, LearningCurve
from harness.report import numbers
from harness.report.blocks import Block


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveTable:
    """The curves of a block, arms first: a column for each fraction that any of them has."""

    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, tuple[CurvePoint | None, ...]], ...]


def tabulate_curves(block: Block) -> CurveTable | None:
    """Return a block's curves side by side; None where no cell was fitted on less than everything."""
    curves = [(cell, cell.learning_curve) for cell in (*block.arms, *block.baselines)]
    known = [(cell, curve) for cell, curve in curves if curve is not None]
    fractions = sorted({point.fraction for _, curve in known for point in curve.points})
    if len(fractions) < 2:
        return None
    return CurveTable(
        heads=tuple(show_fraction(fraction) for fraction in fractions),
        rows=tuple((cell, tuple(_find(curve, fraction) for fraction in fractions)) for cell, curve in known),
    )


def show_fraction(fraction: float) -> str:
    """Return `10 %`, or `all`."""
    return "all" if fraction == 1 else f"{100 * fraction:.6g} %"


def tell_curve(block: Block, cell: Cell) -> str:
    """Return the points of a cell's curve as a sentence's part."""
    points = () if cell.learning_curve is None else cell.learning_curve.points
    told = [
        f"{numbers.show_estimate(point.score, point.low, point.high, block.task.bounds)} with "
        f"{show_fraction(point.fraction)} ({point.n_train:.0f} rows)"
        for point in points
    ]
    return f"{cell.arm} {', '.join(told)}"


def describe_curve(curve: LearningCurve | None) -> list[dict[str, float | None]]:
    """Return a curve as `table.json` has it."""
    names = ("fraction", "n_train", "score", "low", "high", "train_score")
    points = () if curve is None else curve.points
    return [{name: getattr(point, name) for name in names} for point in points]


def _find(curve: LearningCurve, fraction: float) -> CurvePoint | None:
    return next((point for point in curve.points if point.fraction == fraction), None)
