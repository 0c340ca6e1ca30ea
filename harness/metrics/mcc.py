"""MCC: the correlation between targets and decided classes, for any number of classes."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from harness.metrics._confusion import count_confusion, count_confusions, is_scorable, keep_scorable

TARGETS: Literal["classes", "values"] = "classes"
HIGHER_IS_BETTER = True
BOUNDS = (-1.0, 1.0)


def score(predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
    """Return Matthews' correlation coefficient (Gorodkin 2004, eq. 8, for more than two classes).

    NaN where all targets are of one class. A model that always decides for one class has 0, the limit that
    Chicco and Jurman (2020) derive: its decisions covary with no target.
    """
    if not is_scorable(predictions, weights):
        return math.nan
    confusion = count_confusion(predictions, targets, weights)
    confusion = confusion / confusion.sum()
    targeted, decided = confusion.sum(axis=1), confusion.sum(axis=0)
    if np.count_nonzero(targeted) < 2:
        return math.nan
    if np.count_nonzero(decided) < 2:
        return 0.0
    covariance = confusion.trace() - targeted @ decided
    return float(covariance / math.sqrt((1 - targeted @ targeted) * (1 - decided @ decided)))


def score_bags(predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the same for each weighting (bags, rows)."""
    confusions = count_confusions(predictions, targets, weights)
    confusions /= np.maximum(confusions.sum(axis=(1, 2), keepdims=True), 1e-300)
    targeted, decided = confusions.sum(axis=2), confusions.sum(axis=1)  # (bags, classes)
    covariance = np.trace(confusions, axis1=1, axis2=2) - (targeted * decided).sum(axis=1)
    spread = (1 - (targeted**2).sum(axis=1)) * (1 - (decided**2).sum(axis=1))
    several = (np.count_nonzero(targeted, axis=1) > 1) & (np.count_nonzero(decided, axis=1) > 1)
    scores = np.where(several, covariance / np.sqrt(np.where(several, spread, 1)), 0.0)
    scores[np.count_nonzero(targeted, axis=1) < 2] = np.nan
    return keep_scorable(scores, predictions, weights)
