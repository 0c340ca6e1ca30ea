"""Locked pairs: the arms of one task and backbone against each other, on the examples locked away from all."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from harness.judge.answers import show_change
from harness.judge.compare import weigh_disagreements
from harness.judge.comparison import SEPARABLE, Cell, ComparedTask, LockedPair
from harness.judge.evidence import Evidence, Measure, weigh
from harness.judge.ranking_test import show_p
from harness.judge.stats import Difference, bag_metric, holm, subtract_bags

BAGS = 1000


def pair_locked(
    cells: Sequence[Cell], tasks: Mapping[str, ComparedTask], measures: Mapping[str, Measure | None]
) -> tuple[LockedPair, ...]:
    """Return every pair of arms of a task and backbone whose locked tests are opened and can be read.

    p is McNemar's exact one where the metric is accuracy of decided classes, and examples count alike and for
    themselves; else that of a paired bootstrap over the examples, or over their groups.
    """
    blocks: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.kind == "arm" and cell.tested is not None and cell.test_score is not None:
            blocks[cell.task, cell.backbone].append(cell)
    return tuple(
        pair
        for (task, _), block in blocks.items()
        if (measure := measures[task]) is not None
        for pair in _pair_block(block, tasks[task], measure)
    )


def _pair_block(block: Sequence[Cell], task: ComparedTask, measure: Measure) -> tuple[LockedPair, ...]:
    possible = list(combinations(block, 2))
    # After Holm the smallest p that bags can give, 2/(bags + 1), must still lie well below what separates.
    bags = max(BAGS, math.ceil(4 * len(possible) / SEPARABLE))
    drawn = {cell.arm: _bag(cell, measure, bags) for cell in block}
    found = [
        _compare(first, second, subtract_bags(drawn[second.arm], drawn[first.arm]), task)
        for first, second in possible
        if _share_examples(first, second)
    ]
    pairs = [pair for pair in found if pair is not None]
    adjusted = holm([pair.p for pair in pairs])
    drawn_as = _name_drawn(block[0].tested, task)
    return tuple(
        _tell(replace(pair, p=float(p)), task, drawn_as, len(pairs))
        for pair, p in zip(pairs, adjusted, strict=True)
    )


def _bag(cell: Cell, measure: Measure, bags: int) -> np.ndarray:
    """Return the metric of an arm on all locked examples, and on bags of them that are the same for every arm."""
    evidence = cell.tested
    assert evidence is not None
    return bag_metric(
        evidence.predictions[0],
        evidence.targets,
        weigh(measure.score, evidence),
        bags=bags,
        groups=evidence.groups,
    )


def _share_examples(first: Cell, second: Cell) -> bool:
    mine, yours = first.tested, second.tested
    return mine is not None and yours is not None and (mine.ids, mine.labels) == (yours.ids, yours.labels)


def _compare(first: Cell, second: Cell, found: Difference, task: ComparedTask) -> LockedPair | None:
    """Return one pair, p not yet adjusted; None where the metric is undefined on the examples."""
    mine, yours = first.tested, second.tested
    assert mine is not None
    assert yours is not None
    if not all(map(math.isfinite, (found.difference, found.low, found.high))):
        return None
    p = _count(mine, yours) if task.metric == "accuracy" else None
    gained = (found.difference, found.low, found.high)
    difference, low, high = gained if task.higher_is_better else (-gained[0], -gained[2], -gained[1])
    return LockedPair(
        task=task.name,
        backbone=first.backbone,
        first=first.arm,
        second=second.arm,
        difference=difference,
        low=low,
        high=high,
        p=found.p if p is None else p,
        method="paired bootstrap" if p is None else "McNemar",
        sentence="",
    )


def _count(mine: Evidence, yours: Evidence) -> float | None:
    """Return McNemar's p, None where examples are no classes, or do not count alike and for themselves."""
    if mine.groups is not None or not (mine.weights == 1).all():
        return None
    return weigh_disagreements(mine.predictions[0], yours.predictions[0], mine.targets)


def _name_drawn(evidence: Evidence | None, task: ComparedTask) -> str:
    """Return what a bag draws; without groups of the data, those of the evidence are examples of equal content."""
    if evidence is None or evidence.groups is None:
        return "examples"
    return "examples, those of equal content as one" if task.groups is None else "groups"


def _tell(pair: LockedPair, task: ComparedTask, drawn: str, pairs: int) -> LockedPair:
    test = "McNemar, exact" if pair.method == "McNemar" else f"paired bootstrap over {drawn}"
    adjusted = f", Holm over {pairs} pairs" if pairs > 1 else ""
    better, worse = (pair.first, pair.second) if pair.difference >= 0 else (pair.second, pair.first)
    answer = (
        f"{better} is better than {worse}" if pair.winner else f"{better} and {worse} cannot be told apart"
    )
    difference = (
        (pair.difference, pair.low, pair.high)
        if pair.difference >= 0
        else (-pair.difference, -pair.high, -pair.low)
    )
    figures = f"{show_change(*difference)} {task.metric}"
    return replace(pair, sentence=f"{answer}: {figures}, {show_p(pair.p)} ({test}{adjusted})")
