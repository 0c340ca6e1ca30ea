"""Learning curve: what a cell's best trial scores when it is trained on less."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.judge.stats import TTest, corrected_resampled_t
from harness.judge.whole import fill_unknown, mean_known
from harness.plan import Study
from harness.record.history import TrialRecord
from harness.record.scores import FoldScore


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """A fraction of the training parts: means over the folds of repeat 0, in the metric's own direction.

    `low` and `high` are the 95 % interval of a corrected resampled t; None where fewer than two folds have a score.
    """

    fraction: float
    n_train: float  # the mean number of rows
    score: float
    low: float | None
    high: float | None
    train_score: float | None
    fold_scores: tuple[float, ...]  # by fold; NaN where the metric is undefined


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningCurve:
    """The points of one trial by rising fraction, the last one being 1; a fraction that lacks a fold has none."""

    points: tuple[CurvePoint, ...]
    test_over_train: float  # n_test/n_train of the whole training parts
    note: str = ""  # what is missing, and why


def trace_learning(study: Study, record: TrialRecord) -> LearningCurve | None:
    """Return the curve of a complete trial; None where the protocol asks for none."""
    if not study.fractions:
        return None
    whole = [fold for fold in record.folds if fold.repeat == 0]
    reduced = [fold for fold in record.reduced if fold.fraction in study.fractions]
    # Of the whole training parts at every fraction: the ratio stands for how much folds depend on each other by the
    # rows that they share, and fitting on a part of these makes them share less.
    ratio = study.test_over_train
    parts = {
        fraction: [fold for fold in reduced if fold.fraction == fraction] for fraction in study.fractions
    }
    found = [_average(folds, ratio, study) for folds in (*parts.values(), whole)]
    return LearningCurve(
        points=tuple(point for point in found if point is not None),
        test_over_train=ratio,
        note=_explain_missing(parts, study),
    )


def measure_gain(curve: LearningCurve, *, higher_is_better: bool) -> TTest | None:
    """Return how much better the last point is than the one before, over the folds that both have; None: untold."""
    if len(curve.points) < 2:
        return None
    before, last = curve.points[-2:]
    sign = 1 if higher_is_better else -1
    gains = [sign * (more - less) for more, less in zip(last.fold_scores, before.fold_scores, strict=True)]
    return _test(gains, curve.test_over_train)


def _average(folds: Sequence[FoldScore], ratio: float, study: Study) -> CurvePoint | None:
    """Return the point of one fraction; None where a fold is missing or has failed, or the metric is undefined."""
    fitted = {fold.fold: fold for fold in folds if fold.state == "ok" and fold.valid_score is not None}
    ordered = [fitted[number] for number in sorted(fitted)]
    scores = tuple(fill_unknown(fold.valid_score) for fold in ordered)
    mean = mean_known(scores)
    if len(ordered) < study.folds or mean is None:
        return None
    test = _test(scores, ratio)
    return CurvePoint(
        fraction=ordered[0].fraction,
        n_train=math.fsum(fold.n_train for fold in ordered) / len(ordered),
        score=mean,
        low=None if test is None else test.low,
        high=None if test is None else test.high,
        train_score=mean_known([fold.train_score for fold in ordered]),
        fold_scores=scores,
    )


def _test(values: Sequence[float], ratio: float) -> TTest | None:
    known = [value for value in values if math.isfinite(value)]
    return corrected_resampled_t(known, test_over_train=ratio) if len(known) > 1 else None


def _explain_missing(parts: dict[float, list[FoldScore]], study: Study) -> str:
    """Say which fractions lack folds, and why; nothing where none does."""
    told = []
    for fraction, folds in parts.items():
        failed = [fold for fold in folds if fold.state != "ok"]
        if failed:
            reasons = Counter(fold.error or fold.state for fold in failed)
            told.append(
                f"{fraction:g} failed on {len(failed)} of {study.folds} folds: {reasons.most_common(1)[0][0]}"
            )
        elif len(folds) < study.folds:
            told.append(
                f"{fraction:g} has {len(folds)} of {study.folds} folds, the same command fits the others"
            )
    return f"learning curve: {'; '.join(told)}" if told else ""
