"""Balanced accuracy: the mean recall of the classes that occur among the targets."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from harness.metrics._confusion import count_confusion, count_confusions, is_scorable, keep_scorable

TARGETS: Literal["classes", "values"] = "classes"
HIGHER_IS_BETTER = True
BOUNDS = (0.0, 1.0)


def score(predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
    """Return the mean recall; a declared class that no target has, has no recall and is left out."""
    if not is_scorable(predictions, weights):
        return math.nan
    confusion = count_confusion(predictions, targets, weights)
    occurring = confusion.sum(axis=1)
    present = occurring > 0
    return float((confusion.diagonal()[present] / occurring[present]).mean())


def score_bags(predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the same for each weighting (bags, rows)."""
    confusions = count_confusions(predictions, targets, weights)
    occurring = confusions.sum(axis=2)  # (bags, classes)
    recalls = np.diagonal(confusions, axis1=1, axis2=2) / np.where(occurring > 0, occurring, 1)
    scores = recalls.sum(axis=1) / np.maximum((occurring > 0).sum(axis=1), 1)
    return keep_scorable(scores, predictions, weights)
