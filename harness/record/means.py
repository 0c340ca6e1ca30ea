"""The mean of a trial's folds, the one number by which trials are compared."""

from __future__ import annotations

import math
from collections.abc import Iterable

from harness.record.scores import FoldScore


def mean_score(folds: Iterable[FoldScore]) -> float | None:
    """Return the mean validation score over the folds that have one, None where none has.

    A metric is undefined (NaN) on a fold that lacks what it needs, such as a class; a failed fold has none.
    """
    scores = [fold.valid_score for fold in folds if fold.state == "ok" and fold.valid_score is not None]
    defined = [score for score in scores if not math.isnan(score)]
    return math.fsum(defined) / len(defined) if defined else None


def running_means(folds: Iterable[FoldScore], folds_per_repeat: int) -> dict[int, float]:
    """Return by step the finite mean over that step and all before it; a step is repeat x folds + fold.

    It ends at the first step that is missing: a later fold may have become durable before it.
    """
    by_step = {fold.repeat * folds_per_repeat + fold.fold: fold for fold in folds}
    means: dict[int, float] = {}
    known: list[FoldScore] = []
    while (step := len(known)) in by_step:
        known.append(by_step[step])
        mean = mean_score(known)
        if mean is not None and math.isfinite(mean):
            means[step] = mean
    return means
