"""The weighted confusion matrix that the metrics of decided classes are made of."""

from __future__ import annotations

import numpy as np


def decide(predictions: np.ndarray) -> np.ndarray:
    """Return the index of each row's most probable class, the lower one of a tie."""
    return np.asarray(predictions.argmax(axis=1))


def is_scorable(predictions: np.ndarray, weights: np.ndarray) -> bool:
    """Tell whether any row counts and no row that counts is predicted as NaN."""
    if not weights.any():
        return False
    # The sum is NaN if any item is: single rows are looked at only when there is something to find.
    return not np.isnan(predictions.sum()) or not np.isnan(predictions[weights > 0]).any()


def count_confusion(predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the weight of the rows of each (target, decided class) as a matrix (classes, classes)."""
    classes = predictions.shape[1]
    cells = targets * classes + decide(predictions)
    return np.bincount(cells, weights=weights, minlength=classes * classes).reshape(classes, classes)


def are_scorable(predictions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Tell for each weighting (bags, rows) whether any row counts and no row that counts is predicted as NaN."""
    counted = weights.any(axis=1)
    if np.isnan(predictions.sum()):
        lost = np.isnan(predictions).any(axis=1)
        counted &= ~(weights[:, lost] > 0).any(axis=1)
    return np.asarray(counted)


def count_confusions(predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the confusion of each weighting (bags, rows), (bags, classes, classes)."""
    classes = predictions.shape[1]
    cells = targets * classes + decide(predictions)
    order = np.argsort(cells, kind="stable")
    occurring, starts = np.unique(cells[order], return_index=True)
    counts = np.zeros((len(weights), classes * classes))
    counts[:, occurring] = np.add.reduceat(weights[:, order], starts, axis=1)
    return counts.reshape(len(weights), classes, classes)


def keep_scorable(scores: np.ndarray, predictions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return scores (bags,), NaN where a weighting has nothing to score."""
    return np.where(are_scorable(predictions, weights), scores, np.nan)
