"""Macro-F1: the mean over the declared classes of the harmonic mean of precision and recall."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from harness.metrics._confusion import count_confusion, count_confusions, is_scorable, keep_scorable

TARGETS: Literal["classes", "values"] = "classes"
HIGHER_IS_BETTER = True
BOUNDS = (0.0, 1.0)


def score(predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
    """Return macro-F1 over all declared classes, as scikit-learn does when it is given the labels.

    A class that is neither a target nor predicted counts as 0, so that the mean is always over the same
    classes and bags and models compare; where a fold may lack a class, pool the rows before scoring.
    """
    if not is_scorable(predictions, weights):
        return math.nan
    confusion = count_confusion(predictions, targets, weights)
    named = confusion.sum(axis=0) + confusion.sum(axis=1)  # (classes,): as a target, plus as a prediction
    return float((2 * confusion.diagonal() / np.where(named > 0, named, 1)).mean())


def score_bags(predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the same for each weighting (bags, rows)."""
    confusions = count_confusions(predictions, targets, weights)
    named = confusions.sum(axis=1) + confusions.sum(axis=2)  # (bags, classes)
    right = np.diagonal(confusions, axis1=1, axis2=2)
    scores = (2 * right / np.where(named > 0, named, 1)).mean(axis=1)
    return keep_scorable(scores, predictions, weights)
