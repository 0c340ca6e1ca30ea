"""What the best of many trials is worth: bootstrap bias-corrected cross-validation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.judge.stats.paired import Interval
from harness.judge.stats.ranks import round_noise
from harness.judge.stats.screen import Rough, screen_bags

NOISE = 1e-12  # of a score: less is rounding
Metric = Callable[[np.ndarray, np.ndarray, np.ndarray], float]
Scored = tuple[np.ndarray, np.ndarray, np.ndarray]  # of a bag: scores (trials,), weights inside and outside
Bags = int | Sequence[Sequence[int] | np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class BBC:
    """The corrected score with its 95 % interval, beside the raw score of `chosen`, the trial that is best overall."""

    estimate: float
    low: float
    high: float
    raw_best: float
    chosen: int
    picked: np.ndarray = field(compare=False, repr=False)  # (bags,) the trial that is best inside; -1: none
    inside: np.ndarray = field(compare=False, repr=False)  # (bags,) its score there; NaN: undefined
    outside: np.ndarray = field(compare=False, repr=False)  # (bags,) its score on the examples outside


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A paired difference of two models' metric, its 95 % interval, and the probability of one as far from 0."""

    difference: float
    low: float
    high: float
    p: float


def bbc_cv(
    scores: Sequence[Sequence[float]] | np.ndarray,
    *,
    bags: Bags = 500,
    groups: Sequence[object] | np.ndarray | None = None,
    seed: int = 0,
) -> BBC:
    """Return the corrected score of the best trial from out-of-fold scores (examples, trials), higher being better.

    Tsamardinos, Greasidou & Borboudakis, "Bootstrapping the out-of-sample predictions for efficient and accurate
    cross-validation", Machine Learning 107 (2018), algorithm 5: in each bag of examples, or of groups, drawn with
    replacement the best trial is chosen, the lowest of a tie, and scored on the examples outside the bag; the
    estimate is the mean over bags, the interval their percentiles. `bags` is a count, or arrays of the examples in
    each; one that leaves no example outside is skipped.
    """
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or not table.size or not np.isfinite(table).all():
        raise ValueError(f"needs finite scores (examples, trials) (got shape {table.shape})")

    def score(weights: np.ndarray, trials: slice) -> np.ndarray:
        return np.asarray(weights @ table[:, trials] / weights.sum())

    scored = _score_all(score, _draw_bags(len(table), bags, groups, seed))
    return _estimate(score, scored, rows=len(table), direction=1)


def bbc_cv_metric(
    predictions: Sequence[np.ndarray] | np.ndarray,
    targets: Sequence[float] | np.ndarray,
    metric: Metric,
    *,
    higher_is_better: bool = True,
    bags: Bags = 500,
    groups: Sequence[object] | np.ndarray | None = None,
    seed: int = 0,
    rough: Rough | None = None,
) -> BBC:
    """Return the same for a metric that is no mean over examples, such as macro-F1: it is computed anew on each bag.

    `predictions` has one array, examples first, for each trial; `metric(predictions, targets, weights)` takes integer
    row weights. A trial whose metric is undefined in a bag is not chosen there; a bag without any is skipped. `rough`
    gives the metric for many bags at once, to 1e-9; it only spares computing it where it could not be the best.
    """
    truth = np.asarray(targets)
    if not len(predictions) or any(len(trial) != len(truth) for trial in predictions):
        raise ValueError("needs at least one trial, and a prediction of each for every target")

    def score(weights: np.ndarray, trials: slice) -> np.ndarray:
        return np.array([metric(trial, truth, weights) for trial in predictions[trials]])

    drawn, direction = _draw_bags(len(truth), bags, groups, seed), 1 if higher_is_better else -1
    if rough is None or len(predictions) == 1:
        return _estimate(score, _score_all(score, drawn), rows=len(truth), direction=direction)
    scored = screen_bags(
        predictions,
        lambda trial, weights: metric(predictions[trial], truth, weights),
        lambda trial, weights: rough(trial, truth, weights),
        drawn,
        rows=len(truth),
        direction=direction,
    )
    return _estimate(score, scored, rows=len(truth), direction=direction)


def bootstrap_metric(
    predictions: np.ndarray,
    targets: Sequence[float] | np.ndarray,
    metric: Metric,
    *,
    bags: Bags = 500,
    groups: Sequence[object] | np.ndarray | None = None,
    seed: int = 0,
) -> Interval:
    """Return the 95 % percentile interval of one model's metric over bags of examples, or of groups.

    Efron & Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13. Nothing was chosen, so nothing is
    corrected; bags in which the metric is undefined are left out.
    """
    truth = np.asarray(targets)
    drawn = _draw_bags(len(truth), bags, groups, seed)
    return summarise_bags(np.array([metric(predictions, truth, inside) for inside, _ in drawn]))


def bootstrap_values(
    measure: Callable[[np.ndarray], np.ndarray],
    *,
    rows: int,
    bags: Bags = 500,
    groups: Sequence[object] | np.ndarray | None = None,
    seed: int = 0,
) -> tuple[Interval, ...]:
    """Return such an interval for each of several values, which `measure(weights)` gives of the rows' integer weights.

    A bag in which one of them is undefined is left out for that one.
    """
    drawn = [measure(inside) for inside, _ in _draw_bags(rows, bags, groups, seed)]
    return tuple(summarise_bags(column) for column in np.stack(drawn, axis=1))  # (values, bags)


def summarise_bags(values: np.ndarray) -> Interval:
    """Return the 95 % percentile interval of values (bags,), without those that are undefined."""
    found = values[np.isfinite(values)]
    low, high = np.quantile(found, [0.025, 0.975]) if len(found) else (math.nan, math.nan)
    return Interval(low=float(low), high=float(high))


def bootstrap_difference(
    first: np.ndarray,
    second: np.ndarray,
    targets: Sequence[float] | np.ndarray,
    metric: Metric,
    *,
    bags: Bags = 500,
    groups: Sequence[object] | np.ndarray | None = None,
    seed: int = 0,
) -> Difference:
    """Return how much higher the metric of `second` is than that of `first`, both on the same bags of examples.

    Efron & Tibshirani (1993), chapter 13, for the interval; Davison & Hinkley, "Bootstrap methods and their
    application" (1997), section 4.2, for p, which is never below 2/(bags + 1). Bags in which the metric of either is
    undefined are left out; without any bag the interval is NaN and p is 1.
    """
    mine, yours = (
        bag_metric(each, targets, metric, bags=bags, groups=groups, seed=seed) for each in (first, second)
    )
    return subtract_bags(mine, yours)


def bag_metric(
    predictions: np.ndarray,
    targets: Sequence[float] | np.ndarray,
    metric: Metric,
    *,
    bags: Bags = 500,
    groups: Sequence[object] | np.ndarray | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Return one model's metric on all examples, then on each bag, (1 + bags,); one seed draws the same bags."""
    truth = np.asarray(targets)
    drawn = (inside for inside, _ in _draw_bags(len(truth), bags, groups, seed))
    every = np.ones(len(truth), dtype=np.int64)
    return np.array([metric(predictions, truth, weights) for weights in (every, *drawn)])


def subtract_bags(first: np.ndarray, second: np.ndarray) -> Difference:
    """Return the bootstrap difference of two models' metrics, each from `bag_metric` on the same bags."""
    values = second - first
    found = round_noise(values[1:][np.isfinite(values[1:])])
    interval = summarise_bags(found)
    fewer = min(int((found <= 0).sum()), int((found >= 0).sum()))
    return Difference(
        difference=float(values[0]),
        low=interval.low,
        high=interval.high,
        p=min(1.0, 2 * (fewer + 1) / (len(found) + 1)),
    )


def _score_all(
    score: Callable[[np.ndarray, slice], np.ndarray], bags: Iterator[tuple[np.ndarray, np.ndarray]]
) -> Iterator[Scored]:
    """Yield each bag's scores of all trials with its weights; none where no example is outside."""
    for inside, outside in bags:
        yield score(inside, slice(None)) if outside.any() else np.zeros(0), inside, outside


def _estimate(
    score: Callable[[np.ndarray, slice], np.ndarray],  # of some trials, on weighted examples
    bags: Iterator[Scored],
    *,
    rows: int,
    direction: int,
) -> BBC:
    whole = score(np.ones(rows, dtype=np.int64), slice(None))
    chosen = _choose(whole, direction)
    answers = [_score_bag(score, direction, scores, outside) for scores, _, outside in bags]
    picked, inner, outer = map(np.array, zip(*answers, strict=True)) if answers else (np.zeros(0),) * 3
    found, interval = outer[np.isfinite(outer)], summarise_bags(outer)
    return BBC(
        estimate=math.fsum(found) / len(found) if len(found) else math.nan,
        low=interval.low,
        high=interval.high,
        raw_best=math.nan if chosen is None else float(whole[chosen]),
        chosen=-1 if chosen is None else chosen,
        picked=picked,
        inside=inner,
        outside=outer,
    )


def _score_bag(
    score: Callable[[np.ndarray, slice], np.ndarray], direction: int, scores: np.ndarray, outside: np.ndarray
) -> tuple[int, float, float]:
    """Return which trial is best inside a bag, its score there and its score outside."""
    best = _choose(scores, direction) if outside.any() else None
    if best is None:
        return -1, math.nan, math.nan
    return best, float(scores[best]), float(score(outside, slice(best, best + 1))[0])


def _choose(scores: np.ndarray, direction: int) -> int | None:
    """Return the index of the best defined score, the lowest of a tie; None where none is defined."""
    goodness = direction * scores
    defined = goodness[~np.isnan(goodness)]
    if not len(defined):
        return None
    best = float(defined.max())
    # The noise of summing breaks no tie; an infinite score is as good as itself.
    return int(np.argmax(goodness >= (best - NOISE * abs(best) if math.isfinite(best) else best)))


def _draw_bags(
    rows: int, bags: Bags, groups: Sequence[object] | np.ndarray | None, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield for each bag the integer weights (rows,) of the examples inside and of those outside."""
    part = np.arange(rows) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    if len(part) != rows:
        raise ValueError(f"needs a group for each of the {rows} examples (got {len(part)})")
    rng = np.random.default_rng(seed)
    parts = int(part.max()) + 1
    for bag in range(bags) if isinstance(bags, int) else bags:
        if isinstance(bag, int):
            inside = np.bincount(rng.integers(0, parts, size=parts), minlength=parts)[part]
        else:
            inside = np.bincount(np.asarray(bag), minlength=rows)
        touched = np.bincount(part, weights=inside, minlength=parts)[part] > 0
        yield inside, (~touched).astype(np.int64)
