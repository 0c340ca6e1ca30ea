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


def correlate_bags(first: np.ndarray, second: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the correlation of each weighting of two series, (rows,) or (bags, rows).

    NaN where it is undefined, and where a series is so nearly constant that its mean hides it.
    """
    total = weights.sum(axis=1, keepdims=True)
    total = np.where(total > 0, total, np.nan)
    with np.errstate(all="ignore"):  # what is not finite comes out as NaN
        mine, own = _centre(first, weights, total)
        yours, other = _centre(second, weights, total)
        return np.asarray((weights * mine * yours).sum(axis=1) / np.sqrt(own * other))


def _centre(values: np.ndarray, weights: np.ndarray, total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the values less their mean, (bags, rows), and their weighted sum of squares, NaN if it says nothing."""
    values = np.broadcast_to(values, weights.shape)
    centred = values - (weights * values).sum(axis=1, keepdims=True) / total
    squares = (weights * centred**2).sum(axis=1)
    size = (weights * values**2).sum(axis=1)
    return centred, np.where(squares > 1e-9 * size, squares, np.nan)
