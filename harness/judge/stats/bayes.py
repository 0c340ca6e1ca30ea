"""What to believe of two methods over several data sets, with differences too small to matter counted apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.judge.stats.paired import Posterior

DRAWS = 50_000  # of the posterior: a probability of one half is known to .005 then
SIGN_PRIOR = 1.0  # data sets without a difference that are believed in before any is seen
RANK_PRIOR = 0.5
CHUNK = 1_000  # draws at once


def bayesian_sign(
    differences: Sequence[float] | np.ndarray, *, rope: float, draws: int = DRAWS, seed: int = 0
) -> Posterior:
    """Return how probable it is that most data sets are below, within and above `rope`, positive being better.

    Benavoli, Corani, Demšar & Zaffalon, "Time for a change: a tutorial for comparing multiple classifiers through
    Bayesian analysis", JMLR 18:77 (2017), section 4.2: a Dirichlet posterior of the three shares, with one prior data
    set without a difference. `differences` has one number for each data set.
    """
    values = _check(differences, rope)
    counts = np.array([np.sum(values < -rope), np.sum(np.abs(values) <= rope), np.sum(values > rope)])
    counts = counts + np.array([0.0, SIGN_PRIOR, 0.0])
    seen = counts > 0  # a share that nothing speaks for is zero
    shares = np.zeros((draws, 3))
    shares[:, seen] = np.random.default_rng(seed).dirichlet(counts[seen], size=draws)
    return _share_largest(shares)


def bayesian_signed_rank(
    differences: Sequence[float] | np.ndarray, *, rope: float, draws: int = DRAWS, seed: int = 0
) -> Posterior:
    """Return how probable it is that the mean of two random data sets is below, within and above `rope`.

    The same paper, section 4.3, after Benavoli et al., "A Bayesian Wilcoxon signed-rank test based on the Dirichlet
    process" (ICML 2014), equations 10 to 12: weights of the data sets and of half a prior one without a difference are
    drawn from a Dirichlet distribution; every pair of data sets counts by the product of its weights where the sum of
    its differences lies. Memory and time grow with the square of the number of data sets.
    """
    values = np.concatenate([[0.0], _check(differences, rope)])
    sums = values[:, None] + values[None, :]  # (data sets + 1, data sets + 1)
    below, above = _step(-sums - 2 * rope), _step(sums - 2 * rope)
    strengths = np.concatenate([[RANK_PRIOR], np.ones(len(values) - 1)])
    rng = np.random.default_rng(seed)
    found = []
    for start in range(0, draws, CHUNK):
        weights = rng.dirichlet(strengths, size=min(CHUNK, draws - start))  # (draws, data sets + 1)
        worse = np.einsum("di,ij,dj->d", weights, below, weights, optimize=True)
        better = np.einsum("di,ij,dj->d", weights, above, weights, optimize=True)
        found.append(np.stack([worse, 1 - worse - better, better], axis=1))
    return _share_largest(np.concatenate(found))


def _check(differences: Sequence[float] | np.ndarray, rope: float) -> np.ndarray:
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all() or rope < 0:
        raise ValueError(
            f"needs a finite difference for each data set and a rope of 0 or more (got rope {rope})"
        )
    return values


def _step(values: np.ndarray) -> np.ndarray:
    """Return 1 above zero, one half at zero and 0 below."""
    steps: np.ndarray = (values > 0) + 0.5 * (values == 0)
    return steps


def _share_largest(shares: np.ndarray) -> Posterior:
    """Return in which share of draws (draws, 3) each is the largest, a tie divided among those that tie."""
    largest = shares >= shares.max(axis=1, keepdims=True) - 1e-12
    worse, equivalent, better = (largest / largest.sum(axis=1, keepdims=True)).mean(axis=0)
    return Posterior(worse=float(worse), equivalent=float(equivalent), better=float(better))
