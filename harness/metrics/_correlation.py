"""The weighted correlation of two series."""

from __future__ import annotations

import math

import numpy as np


def correlate(first: np.ndarray, second: np.ndarray, weights: np.ndarray) -> float:
    """Return Pearson's correlation of two series (rows,), NaN where one is constant or no row counts."""
    if len(weights) < 2:
        return math.nan
    first, second = _standardise(first, weights), _standardise(second, weights)
    correlation = float(weights @ (first * second))
    return max(-1.0, min(1.0, correlation)) if math.isfinite(correlation) else math.nan


def keep_counted(*columns: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the columns and the weights as float64, without the rows of weight 0."""
    counted = weights > 0
    return tuple(np.asarray(column, dtype=np.float64)[counted] for column in (*columns, weights))


def _standardise(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the values centred and scaled to a weighted sum of squares of 1, NaN if constant or infinite."""
    if not np.isfinite(values).all() or values.min() == values.max():
        return np.full(len(values), math.nan)
    values = values / np.abs(values).max()  # so that no square overflows
    centred = values - weights @ values / weights.sum()
    centred = centred / np.abs(centred).max()
    return np.asarray(centred / math.sqrt(float(weights @ centred**2)))
