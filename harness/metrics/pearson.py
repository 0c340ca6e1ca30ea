"""Pearson's correlation between predicted and true values."""

from __future__ import annotations

from typing import Literal

import numpy as np

from harness.metrics._correlation import correlate, correlate_bags, keep_counted

TARGETS: Literal["classes", "values"] = "values"
HIGHER_IS_BETTER = True
BOUNDS = (-1.0, 1.0)


def score(predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
    """Return the weighted correlation, NaN where either side is constant."""
    return correlate(*keep_counted(predictions, targets, weights=weights))


def score_bags(predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the same for each weighting (bags, rows); NaN where it would not be precise."""
    return correlate_bags(predictions.astype(np.float64), targets.astype(np.float64), weights)
