"""Many methods on many data sets: who differs, and by how much?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.judge.stats import laws
from harness.judge.stats.ranks import rank_methods

Table = Sequence[Sequence[float]] | np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Friedman:
    """Friedman's chi-square and Iman and Davenport's F on the same ranks, with the methods' mean ranks."""

    chi2: float
    p: float
    f: float
    f_p: float
    mean_ranks: np.ndarray  # (methods,), 1 is best


@dataclass(frozen=True, slots=True, kw_only=True)
class Nemenyi:
    """Mean ranks, the critical difference at 5 %, and the probability of every pair under no difference."""

    mean_ranks: np.ndarray  # (methods,)
    cd: float
    p: np.ndarray  # (methods, methods), 1 on the diagonal


@dataclass(frozen=True, slots=True, kw_only=True)
class BradleyTerry:
    """The logarithms of the methods' strengths; they sum to 0."""

    strengths: np.ndarray  # (methods,)


def friedman(scores: Table) -> Friedman:
    """Test whether any of the methods differs, scores (data sets, methods), higher being better.

    Friedman, JASA 32 (1937), corrected for ties (Conover, "Practical nonparametric statistics", 3rd ed. 1999, eq.
    5.8.6); Iman & Davenport, Communications in Statistics A 9 (1980): F = (N-1) chi² / (N(k-1) - chi²) with k-1 and
    (k-1)(N-1) degrees of freedom. Where all methods tie everywhere, both statistics are 0.
    """
    ranks = rank_methods(scores)
    datasets, methods = ranks.shape
    middle = (methods + 1) / 2
    spread = float(((ranks - middle) ** 2).sum())
    between = float(((ranks.sum(axis=0) - datasets * middle) ** 2).sum())
    chi2 = (methods - 1) * between / spread if spread else 0.0
    rest = datasets * (methods - 1) - chi2
    # At perfect agreement the rest is 0, but for rounding.
    f = (datasets - 1) * chi2 / rest if rest > 1e-9 else math.inf
    return Friedman(
        chi2=chi2,
        p=laws.chi2_above(chi2, methods - 1),
        f=f,
        f_p=laws.f_above(f, methods - 1, (methods - 1) * (datasets - 1)) if datasets > 1 else math.nan,
        mean_ranks=ranks.mean(axis=0),
    )


def nemenyi(scores: Table) -> Nemenyi:
    """Compare all pairs of methods, scores (data sets, methods), higher being better.

    Nemenyi (1963) as in Demšar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7 (2006),
    section 3.2.2: the difference of mean ranks over sqrt(k(k+1)/(6N)) is a studentized range over √2.
    """
    ranks = rank_methods(scores)
    datasets, methods = ranks.shape
    means = ranks.mean(axis=0)
    q = np.abs(means[:, None] - means[None, :]) / math.sqrt(methods * (methods + 1) / (6 * datasets))
    p = np.ones((methods, methods))
    upper = np.triu_indices(methods, 1)
    p[upper] = laws.range_above(q[upper], methods)
    p.T[upper] = p[upper]
    return Nemenyi(mean_ranks=means, cd=nemenyi_critical_difference(methods, datasets), p=p)


def nemenyi_critical_difference(methods: int, datasets: int, *, alpha: float = 0.05) -> float:
    """Return how far two mean ranks must lie apart: q_alpha sqrt(k(k+1)/(6N)) (Demšar 2006, section 3.2.2)."""
    if methods < 2 or datasets < 1:
        raise ValueError(f"needs two methods and one data set (got {methods} and {datasets})")
    return laws.range_quantile(1 - alpha, methods) * math.sqrt(methods * (methods + 1) / (6 * datasets))


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return p-values adjusted for their number, in the same order.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    factors = np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * factors))
    return adjusted


def bradley_terry(wins: Table) -> BradleyTerry:
    """Return the log-strengths that make the wins likeliest; wins[i][j] counts i over j, a tie half for each.

    Bradley & Terry, Biometrika 39 (1952), by the iteration of Hunter, "MM algorithms for generalized Bradley-Terry
    models", Annals of Statistics 32 (2004), eq. 3. Half a virtual win each way keeps the strengths finite.
    """
    counts = np.array(wins, dtype=np.float64)
    methods = len(counts)
    if counts.shape != (methods, methods) or methods < 2 or not (counts >= 0).all():
        raise ValueError(f"needs a square table of counts (got shape {counts.shape})")
    counts += 0.5
    np.fill_diagonal(counts, 0)
    won, met = counts.sum(axis=1), counts + counts.T
    strengths = np.ones(methods)
    for _ in range(100_000):
        better = won / (met / (strengths[:, None] + strengths[None, :])).sum(axis=1)
        better /= math.exp(np.log(better).mean())
        if np.abs(np.log(better / strengths)).max() < 1e-14:
            break
        strengths = better
    return BradleyTerry(strengths=np.log(better))


def interquartile_mean(values: Sequence[float] | np.ndarray) -> float:
    """Return the mean without the lowest and the highest quarter, floor(n/4) values each.

    Agarwal et al., "Deep reinforcement learning at the edge of the statistical precipice", NeurIPS 2021.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64).ravel())
    if not len(ordered):
        raise ValueError("needs at least one value")
    cut = len(ordered) // 4
    return float(ordered[cut : len(ordered) - cut].mean())
