"""Components: what moves a score, from the same trials on the same folds with several seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """score = mean + fold + seed + residual, the last three as standard deviations, over trials whose means are equal.

    `fold_sd`: some folds are harder than others, for every trial. `seed_sd`: one trial on one fold, trained again with
    another seed. `residual_sd`: a trial that suits some folds more than the other trials do; None for one trial, where
    it cannot be told from the fold.
    """

    mean: float
    fold_sd: float
    seed_sd: float
    residual_sd: float | None
    trials: int
    folds: int
    seeds: int


def split_components(scores: Sequence[Sequence[Sequence[float]]] | np.ndarray) -> Components:
    """Return the components of scores (trials, folds, seeds), of two folds and two seeds at least.

    Searle, Casella & McCulloch, "Variance Components" (1992), chapter 4: the mean squares of a balanced two-way
    layout with interaction, fold effects random and those of trials fixed, set equal to what is expected of them; an
    estimate below 0 becomes 0.
    """
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 3 or table.shape[0] < 1 or min(table.shape[1:]) < 2 or not np.isfinite(table).all():
        raise ValueError(f"needs finite scores (trials, folds >= 2, seeds >= 2) (got shape {table.shape})")
    trials, folds, seeds = table.shape
    means = table.mean(axis=2)  # (trials, folds)
    by_fold, by_trial, mean = means.mean(axis=0), means.mean(axis=1), float(table.mean())
    seed = float(((table - means[:, :, None]) ** 2).sum()) / (trials * folds * (seeds - 1))
    fold = trials * seeds * float(((by_fold - mean) ** 2).sum()) / (folds - 1)
    residual, rest = None, seed
    if trials > 1:
        apart = means - by_fold - by_trial[:, None] + mean
        rest = seeds * float((apart**2).sum()) / ((trials - 1) * (folds - 1))
        residual = _root((rest - seed) / seeds)
    return Components(
        mean=mean,
        fold_sd=_root((fold - rest) / (trials * seeds)),
        seed_sd=_root(seed),
        residual_sd=residual,
        trials=trials,
        folds=folds,
        seeds=seeds,
    )


def _root(variance: float) -> float:
    return math.sqrt(max(0.0, variance))
