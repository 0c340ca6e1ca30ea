"""AUC: how often a row of a class is given more probability of it than a row of another class."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from harness.metrics._confusion import is_scorable, keep_scorable

TARGETS: Literal["classes", "values"] = "classes"
HIGHER_IS_BETTER = True
BOUNDS = (0.0, 1.0)


def score(predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
    """Return the area under the ROC curve of the second of two classes, or the mean of each against the rest.

    NaN where a declared class has no row or all of them: its area is undefined, and a mean without it would
    be another metric.
    """
    if not is_scorable(predictions, weights):
        return math.nan
    columns = np.ascontiguousarray(predictions.T)  # (classes, rows)
    classes = len(columns)
    weight_of = np.bincount(targets, weights=weights, minlength=classes)
    if np.count_nonzero(weight_of) < max(classes, 2):
        return math.nan
    if classes == 2:
        return _area(columns[1], targets == 1, weights)
    return float(np.mean([_area(columns[label], targets == label, weights) for label in range(classes)]))


def _area(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> float:
    """Return the Mann-Whitney statistic from mid-ranks by weight, in which a tie counts half."""
    order = np.argsort(scores)
    ranked = scores[order]
    below = np.concatenate(([0.0], np.cumsum(weights[order], dtype=np.float64)))  # (rows + 1,)
    own, counted = scores[positive], weights[positive]
    ranks = (below[np.searchsorted(ranked, own)] + below[np.searchsorted(ranked, own, side="right")]) / 2
    total = float(counted.sum())
    # Among themselves the positives contribute half of every pair.
    return float((counted @ ranks - total * total / 2) / (total * (below[-1] - total)))


def score_bags(predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the same for each weighting (bags, rows)."""
    classes = predictions.shape[1]
    labels = [1] if classes == 2 else range(classes)
    areas = [_areas(predictions[:, label], targets == label, weights) for label in labels]
    return keep_scorable(np.mean(areas, axis=0), predictions, weights)


def _areas(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the area of each weighting (bags,), NaN where one side has no weight."""
    order = np.argsort(scores)
    ranked = scores[order]
    below = np.zeros((len(weights), len(scores) + 1))
    np.cumsum(weights[:, order], axis=1, out=below[:, 1:])
    own, counted = scores[positive], weights[:, positive]
    left, right = np.searchsorted(ranked, own), np.searchsorted(ranked, own, side="right")
    ranks = (below[:, left] + below[:, right]) / 2
    total = counted.sum(axis=1)
    others = below[:, -1] - total
    pairs = np.where((total > 0) & (others > 0), total * others, np.nan)
    return np.asarray(((counted * ranks).sum(axis=1) - total * total / 2) / pairs)
