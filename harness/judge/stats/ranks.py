"""Ranks of scores, ties sharing their mean rank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

DIGITS = 12  # significant ones: numbers that differ by the noise of floating point alone are tied


def round_noise(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the values rounded to twelve significant digits, as float64; what is not finite stays."""
    exact = np.asarray(values, dtype=np.float64)
    size = np.abs(exact)
    regular = np.isfinite(exact) & (size > 1e-290)
    scale = 10.0 ** (DIGITS - 1 - np.floor(np.log10(size, where=regular, out=np.zeros_like(size))))
    return np.where(regular, np.round(np.where(regular, exact, 0) * scale) / scale, exact)


def rank_values(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the rank of each value, 1 for the lowest; tied values share the mean of their ranks."""
    _, place, counts = np.unique(round_noise(values), return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place])


def rank_methods(scores: Sequence[Sequence[float]] | np.ndarray) -> np.ndarray:
    """Return the ranks within each row of scores (data sets, methods), higher being better and ranked 1."""
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2 or not len(table):
        raise ValueError(
            f"needs scores (data sets, methods) of at least two methods (got shape {table.shape})"
        )
    if not np.isfinite(table).all():
        raise ValueError("needs a finite score of every method on every data set")
    return np.array([rank_values(-row) for row in table])
