"""The mean of a trial's folds, by which trials are compared, and the one order that follows from it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from harness.record.scores import FoldScore

Preference = tuple[int, float, float, int]


def mean_score(folds: Iterable[FoldScore]) -> float | None:
    """Return the mean validation score over the folds that have one, None where none has.

    A metric is undefined (NaN) on a fold that lacks what it needs, such as a class; a failed fold has none.
    """
    defined = _list_defined(folds)
    return math.fsum(defined) / len(defined) if defined else None


def order_trial(trial: int, folds: Sequence[FoldScore], *, higher_is_better: bool) -> Preference:
    """Return what orders trials, best first: defined folds, score, fewer trainable parameters, lower number.

    A trial whose metric is undefined on a fold, where another's is not, is not compared on the folds it chose.
    """
    defined, mean = _list_defined(folds), mean_score(folds)
    badness = math.inf if mean is None else -mean if higher_is_better else mean
    parameters = [
        fold.trainable_parameters
        for fold in folds
        if fold.state == "ok" and fold.trainable_parameters is not None
    ]
    # Twelve digits, so that the noise of summing breaks no tie.
    return (-len(defined), float(f"{badness:.12g}"), max(parameters, default=math.inf), trial)


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


def _list_defined(folds: Iterable[FoldScore]) -> list[float]:
    scores = [fold.valid_score for fold in folds if fold.state == "ok" and fold.valid_score is not None]
    return [score for score in scores if not math.isnan(score)]
