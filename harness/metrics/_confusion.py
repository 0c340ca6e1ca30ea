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
