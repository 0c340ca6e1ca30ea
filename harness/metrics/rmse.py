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
