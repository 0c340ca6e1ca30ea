"""Pairs: the arms of one task and backbone against each other, on the same folds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from harness.judge.comparison import Cell, ComparedTask, Pair
from harness.judge.stats import corrected_resampled_t, correlated_bayesian_t, holm

ROPE = 0.01  # one point; of a metric without bounds, one hundredth of the scores' size


def pair_cells(cells: Sequence[Cell], task: ComparedTask) -> tuple[Pair, ...]:
    """Return every pair of the cells of one task and backbone that share two folds with a score."""
    pairs = []
    for first, second in combinations(cells, 2):
        shared = [
            (mine, yours)
            for mine, yours in zip(first.fold_scores, second.fold_scores, strict=True)
            if math.isfinite(mine) and math.isfinite(yours)
        ]
        if len(shared) > 1:
            scores = np.array(shared) if task.higher_is_better else -np.array(shared)  # (folds, 2)
            pairs.append(_compare(first, second, scores, task, rope=find_rope(scores, task.bounds)))
    adjusted = holm([pair.p for pair in pairs])
    return tuple(replace(pair, p=float(p)) for pair, p in zip(pairs, adjusted, strict=True))


def _compare(first: Cell, second: Cell, scores: np.ndarray, task: ComparedTask, *, rope: float) -> Pair:
    differences = scores[:, 0] - scores[:, 1]
    test = corrected_resampled_t(differences, test_over_train=task.test_over_train)
    belief = correlated_bayesian_t(differences, rho=task.fold_correlation, rope=rope)
    return Pair(
        task=first.task,
        backbone=first.backbone,
        first=first.arm,
        second=second.arm,
        difference=test.mean,
        low=test.low,
        high=test.high,
        p=test.p,
        worse=belief.worse,
        equivalent=belief.equivalent,
        better=belief.better,
        rope=rope,
    )


def find_rope(scores: Sequence[float] | np.ndarray, bounds: tuple[float, float]) -> float:
    """Return one point of a metric between bounds, else one hundredth of the mean size of the defined scores."""
    if all(map(math.isfinite, bounds)):
        return ROPE
    sizes = np.abs(np.asarray(scores, dtype=np.float64))
    return ROPE * float(sizes[np.isfinite(sizes)].mean())
