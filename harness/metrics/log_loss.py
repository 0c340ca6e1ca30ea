"""Log loss: the mean negative logarithm of the probability that the target was given."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from harness.metrics._confusion import is_scorable, keep_scorable

TARGETS: Literal["classes", "values"] = "classes"
HIGHER_IS_BETTER = False
BOUNDS = (0.0, math.inf)


def score(predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
    """Return the weighted mean; probabilities below the dtype's epsilon count as that, as in scikit-learn."""
    if not is_scorable(predictions, weights):
        return math.nan
    given = predictions[np.arange(len(targets)), targets]
    losses = -np.log(np.clip(given, np.finfo(predictions.dtype).eps, 1), dtype=np.float64)
    return max(0.0, float(np.where(weights > 0, losses, 0) @ weights / weights.sum()))


def score_bags(predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the same for each weighting (bags, rows)."""
    given = predictions[np.arange(len(targets)), targets]
    losses = -np.log(np.clip(given, np.finfo(predictions.dtype).eps, 1), dtype=np.float64)
    scores = weights @ np.nan_to_num(losses) / np.maximum(weights.sum(axis=1), 1e-300)
    return keep_scorable(np.maximum(scores, 0), predictions, weights)
