"""RMSE: the root of the mean squared error."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

TARGETS: Literal["classes", "values"] = "values"
HIGHER_IS_BETTER = False
BOUNDS = (0.0, math.inf)


def score(predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
    """Return the root of the weighted mean squared error, in the unit of the targets."""
    if not weights.any():
        return math.nan
    counted = weights > 0
    errors = predictions[counted].astype(np.float64) - targets[counted]
    largest = float(np.abs(errors).max())
    if largest == 0 or not math.isfinite(largest):
        return largest
    squares = (errors / largest) ** 2  # scaled, so that none overflows
    return largest * math.sqrt(float(weights[counted] @ squares / weights.sum()))


def score_bags(predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the same for each weighting (bags, rows); not finite where a square may have overflowed."""
    errors = predictions.astype(np.float64) - targets
    largest = float(np.abs(errors).max(initial=0))
    if not 1e-100 < largest < 1e100:
        return np.full(len(weights), math.nan)
    total = weights.sum(axis=1)
    return np.asarray(np.sqrt(weights @ errors**2 / np.where(total > 0, total, np.nan)))
