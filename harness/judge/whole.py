"""A whole trial: all of its folds, and what they come to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.plan import Study
from harness.record.history import TrialRecord
from harness.record.means import mean_score
from harness.record.scores import FoldScore


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A complete trial: all of its folds, and the scores of those on which the metric is defined."""

    record: TrialRecord
    folds: tuple[FoldScore, ...]
    scores: tuple[float, ...]
    mean: float
    further: tuple[FoldScore, ...]  # the folds that confirmed it
    parameters: int | None


def find_whole(study: Study, record: TrialRecord) -> Whole | None:
    """Return a trial that has every fold of every repeat and a score, None for any other."""
    if record.state != "complete":
        return None
    searched = record.search_folds(study.repeats)
    fitted = {fold.key: fold for fold in searched if fold.state == "ok" and fold.valid_score is not None}
    folds = tuple(fitted[key] for key in sorted(fitted))
    mean = mean_score(folds)
    if len(folds) < study.folds * study.repeats or mean is None or not math.isfinite(mean):
        return None
    counts = [fold.trainable_parameters for fold in folds if fold.trainable_parameters is not None]
    scores = (fold.valid_score for fold in folds if fold.valid_score is not None)
    return Whole(
        record=record,
        folds=folds,
        scores=tuple(score for score in scores if not math.isnan(score)),
        mean=mean,
        further=tuple(fold for fold in record.folds if fold.repeat >= study.repeats and fold.state == "ok"),
        parameters=max(counts, default=None),
    )


def mean_known(values: Sequence[float | None]) -> float | None:
    """Return the mean of what is known and defined, None where nothing is."""
    numbers = [value for value in values if value is not None and math.isfinite(value)]
    return math.fsum(numbers) / len(numbers) if numbers else None


def keep_finite(value: float | None) -> float | None:
    """Return a number, None for what is undefined."""
    return value if value is not None and math.isfinite(value) else None


def fill_unknown(value: float | None) -> float:
    """Return a number, NaN for what is not known."""
    return math.nan if value is None else value
