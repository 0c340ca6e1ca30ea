"""Spearman's correlation: Pearson's between the ranks of predicted and true values."""

from __future__ import annotations

from typing import Literal

import numpy as np

from harness.metrics._correlation import correlate, correlate_bags, keep_counted

TARGETS: Literal["classes", "values"] = "values"
HIGHER_IS_BETTER = True
BOUNDS = (-1.0, 1.0)


def score(predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
    """Return the weighted correlation of ranks, ties sharing one; NaN where either side is constant."""
    predicted, true, counted = keep_counted(predictions, targets, weights=weights)
    if not (np.isfinite(predicted).all() and np.isfinite(true).all()):
        return float("nan")
    return correlate(_rank(predicted, counted), _rank(true, counted), counted)


def _rank(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return each value's mean rank among its copies: the weight below it, plus half of what equals it."""
    _, place = np.unique(values, return_inverse=True)
    tied = np.bincount(place, weights=weights)
    return np.asarray((np.cumsum(tied) - tied / 2)[place])


def score_bags(predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the same for each weighting (bags, rows); NaN where it would not be precise."""
    if not (np.isfinite(predictions).all() and np.isfinite(targets).all()):
        return np.full(len(weights), np.nan)
    return correlate_bags(_rank_bags(predictions, weights), _rank_bags(targets, weights), weights)


def _rank_bags(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return each value's mean rank in each weighting, (bags, rows)."""
    order = np.argsort(values, kind="stable")
    _, starts, copies = np.unique(values[order], return_index=True, return_counts=True)
    tied = np.add.reduceat(weights[:, order], starts, axis=1)
    ranks = np.empty(weights.shape)
    ranks[:, order] = np.repeat(np.cumsum(tied, axis=1) - tied / 2, copies, axis=1)
    return ranks
