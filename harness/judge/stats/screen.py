"""Screening: which trials could be the best of a bag, found for many bags at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

Rough = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Scores (bags,) of predictions against targets, given what each row counts in each bag (bags, rows)."""

SLACK = 1e-8  # of a score: what is worse than the best by more is not the best; sums differ by 1e-12
AT_ONCE = 2_000_000  # weights: 16 MB


def screen_bags(
    predictions: Sequence[np.ndarray] | np.ndarray,  # of each trial
    score: Callable[[int, np.ndarray], float],
    rough: Callable[[np.ndarray, np.ndarray], np.ndarray],
    bags: Iterable[tuple[np.ndarray, np.ndarray]],
    *,
    rows: int,
    direction: int,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield each bag's scores (trials,) with its weights inside and outside.

    A score is that of `score(trial, weights)` for every trial that could be the best one, and NaN for all others:
    whoever takes the best finds the same trial and the same number as among the scores of all.
    """
    bags = iter(bags)
    while chunk := list(islice(bags, max(1, AT_ONCE // max(1, rows)))):
        weights = np.stack([inside for inside, _ in chunk])
        table = np.stack([rough(trial, weights) for trial in predictions])  # (trials, bags)
        for place, (inside, outside) in enumerate(chunk):
            yield _settle(table[:, place], score, inside, direction), inside, outside


def _settle(
    found: np.ndarray, score: Callable[[int, np.ndarray], float], inside: np.ndarray, direction: int
) -> np.ndarray:
    known = np.isfinite(found)
    goodness = np.where(known, direction * found, -np.inf)
    best = float(goodness.max())
    # What is not finite may be so because it was found roughly.
    near = ~known | (goodness >= best - SLACK * max(1.0, abs(best)))
    scores = np.full(len(found), np.nan)
    scores[near] = [score(int(trial), inside) for trial in np.flatnonzero(near)]
    both = near & known
    errors = np.abs(scores[both] - found[both])
    if (errors <= SLACK / 4 * np.maximum(1.0, np.abs(found[both]))).all():
        return scores
    return np.array([score(trial, inside) for trial in range(len(found))])
