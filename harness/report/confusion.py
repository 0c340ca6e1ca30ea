"""Confusion: each class's figures and the shaded matrix, or the most confused pairs of many classes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.judge.classes import ClassScore, ClassTable, Confused
from harness.judge.comparison import Comparison
from harness.report import numbers
from harness.report.rows import has_several_backbones

MOST_CLASSES = 12  # more do not fit a page as a matrix
MOST_PAIRS = 12
SHADES = 5
SHARE = (0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """One number of the matrix, shaded by its share of the row: from 0, nothing, to `SHADES`."""

    text: str
    shade: int
    right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassLine:
    """A class as text, with its row of the matrix."""

    label: str
    support: str
    precision: str
    recall: str
    interval: str
    f1: str
    counts: tuple[Count, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairLine:
    """How often a class was taken for another, as text."""

    target: str
    predicted: str
    count: str
    support: str  # of the target


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassView:
    """The classes of one task and backbone as a page shows them; many classes have pairs instead of lines."""

    name: str
    arm: str
    of: str  # which trial of it
    weighted: bool
    classes: int
    lines: tuple[ClassLine, ...]
    pairs: tuple[PairLine, ...]
    others: int  # pairs that are not shown


def view_classes(comparison: Comparison) -> tuple[ClassView, ...]:
    """Return what a page shows of the classes of each task and backbone."""
    several = has_several_backbones(comparison)
    return tuple(_view(table, several=several) for table in comparison.classes)


def list_pairs(table: ClassTable, *, most: int) -> tuple[PairLine, ...]:
    """Return the classes that are most often taken for another."""
    support = {each.label: each.support for each in table.classes}
    return tuple(_show_pair(pair, support[pair.target]) for pair in table.list_confused()[:most])


def _view(table: ClassTable, *, several: bool) -> ClassView:
    many = len(table.classes) > MOST_CLASSES
    pairs = list_pairs(table, most=MOST_PAIRS) if many else ()
    return ClassView(
        name=f"{table.task} on {table.backbone}" if several else table.task,
        arm=table.arm,
        of="the winners of the outer folds" if table.trial is None else f"trial {table.trial}",
        weighted=table.weighted,
        classes=len(table.classes),
        lines=() if many else tuple(_show_line(table, place) for place in range(len(table.classes))),
        pairs=pairs,
        others=len(table.list_confused()) - len(pairs) if many else 0,
    )


def _show_line(table: ClassTable, place: int) -> ClassLine:
    score: ClassScore = table.classes[place]
    return ClassLine(
        label=score.label,
        support=show_weight(score.support),
        precision=numbers.show_score(score.precision, SHARE, digits=2),
        recall=numbers.show_score(score.recall, SHARE, digits=2),
        interval=numbers.show_interval(score.low, score.high, SHARE),
        f1=numbers.show_score(score.f1, SHARE, digits=2),
        counts=tuple(
            Count(
                text=show_weight(count),
                shade=math.ceil(SHADES * count / score.support) if score.support else 0,
                right=column == place,
            )
            for column, count in enumerate(table.confusion[place])
        ),
    )


def _show_pair(pair: Confused, support: float) -> PairLine:
    return PairLine(
        target=pair.target,
        predicted=pair.predicted,
        count=show_weight(pair.count),
        support=show_weight(support),
    )


def show_weight(weight: float) -> str:
    """Return a count as it is, a weight to three significant digits."""
    return f"{weight:.0f}" if weight == round(weight) and weight < 1e9 else f"{weight:.3g}"
