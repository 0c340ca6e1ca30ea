"""Accuracy: the share of rows whose most probable class is the target."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from harness.metrics._confusion import decide, is_scorable, keep_scorable

TARGETS: Literal["classes", "values"] = "classes"
HIGHER_IS_BETTER = True
BOUNDS = (0.0, 1.0)


def score(predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
    """Return the weighted share of right decisions."""
    if not is_scorable(predictions, weights):
        return math.nan
    return float(weights @ (decide(predictions) == targets) / weights.sum())


def score_bags(predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the same for each weighting (bags, rows)."""
    right = weights @ (decide(predictions) == targets).astype(np.float64)
    return keep_scorable(right / np.maximum(weights.sum(axis=1), 1e-300), predictions, weights)
