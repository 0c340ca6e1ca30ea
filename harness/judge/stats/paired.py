"""Two methods on the same folds: is the difference real?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.judge.stats import laws
from harness.judge.stats.ranks import rank_values, round_noise


@dataclass(frozen=True, slots=True, kw_only=True)
class TTest:
    """A mean difference, its standard error, the test of its being 0, and its interval."""

    mean: float
    se: float
    t: float
    df: int
    p: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """How probable it is that a is worse than b, practically equivalent to it, and better."""

    worse: float
    equivalent: float
    better: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FTest:
    """An F statistic with its probability under no difference."""

    f: float
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRanks:
    """The smaller sum of signed ranks with its two-sided probability under no difference."""

    w: float
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The two ends of an interval."""

    low: float
    high: float


def corrected_resampled_t(
    differences: Sequence[float] | np.ndarray, *, test_over_train: float, level: float = 0.95
) -> TTest:
    """Test the mean of paired differences over the folds of (repeated) cross-validation.

    Nadeau & Bengio, "Inference for the generalization error", Machine Learning 52 (2003), section 3: the
    variance of the mean is (1/J + n_test/n_train) s², for the training parts of two folds share examples; J - 1
    degrees of freedom. `test_over_train` is n_test/n_train = 1/(K-1) for K folds, not n_test/n. Without any
    spread t is 0 for a mean of 0 and infinite otherwise.
    """
    values = _check_differences(differences)
    mean, df = float(values.mean()), len(values) - 1
    se = math.sqrt((1 / len(values) + test_over_train) * float(values.var(ddof=1)))
    t = mean / se if se else math.copysign(math.inf, mean) if mean else 0.0
    reach = laws.student_quantile((1 + level) / 2, df) * se
    p = 2 * laws.student_below(-abs(t), df)
    return TTest(mean=mean, se=se, t=t, df=df, p=p, low=mean - reach, high=mean + reach)


def correlated_bayesian_t(
    differences: Sequence[float] | np.ndarray, *, rho: float, rope: float = 0.01
) -> Posterior:
    """Return how probable a mean difference below -rope, within the ROPE and above rope is, over CV folds.

    Corani & Benavoli, "A Bayesian approach for comparing cross-validated algorithms on multiple data sets", Machine
    Learning 100 (2015), eq. 8: the posterior of the mean difference is Student with J - 1 degrees of freedom, mean
    the sample's and squared scale (1/J + rho/(1-rho)) s². `rho` is the correlation of two folds, 1/K for K folds.
    """
    values = _check_differences(differences)
    if not 0 <= rho < 1:
        raise ValueError(f"rho is a correlation from 0 up to 1 (got {rho})")
    mean, df = float(values.mean()), len(values) - 1
    scale = math.sqrt((1 / len(values) + rho / (1 - rho)) * float(values.var(ddof=1)))
    if not scale:
        return Posterior(
            worse=float(mean < -rope), equivalent=float(abs(mean) <= rope), better=float(mean > rope)
        )
    worse = laws.student_below((-rope - mean) / scale, df)
    better = laws.student_below((mean - rope) / scale, df)
    return Posterior(worse=worse, equivalent=1 - worse - better, better=better)


def five_by_two_f(differences: Sequence[Sequence[float]] | np.ndarray) -> FTest:
    """Test five repeats of 2-fold cross-validation, differences (5 repeats, 2 folds).

    Alpaydin, "Combined 5 x 2 cv F test for comparing supervised classification learning algorithms", Neural
    Computation 11 (1999), eq. 3: the sum of squared differences over twice the sum of the repeats' variances, an
    F with 10 and 5 degrees of freedom. Without any spread f is 0 for no difference and infinite otherwise.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.shape != (5, 2) or not np.isfinite(values).all():
        raise ValueError(f"needs finite differences of shape (5, 2) (got shape {values.shape})")
    squares = float((values**2).sum())
    spread = 2 * float(((values - values.mean(axis=1, keepdims=True)) ** 2).sum())
    f = squares / spread if spread else math.inf if squares else 0.0
    return FTest(f=f, p=laws.f_above(f, 10, 5))


def mcnemar_exact(b: int, c: int) -> float:
    """Return the two-sided probability of b against c disagreements if either is as likely.

    McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12 (1947), in its exact form: twice the binomial tail of the smaller count on b + c at one half.
    """
    if b < 0 or c < 0:
        raise ValueError(f"counts are not negative (got {b} and {c})")
    return min(1.0, 2 * laws.coin_at_most(min(b, c), b + c))


def wilson(successes: int, n: int, *, level: float = 0.95) -> Interval:
    """Return the score interval of a share.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    """
    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"needs 0 <= successes <= n and n >= 1 (got {successes} of {n})")
    z = laws.normal_quantile((1 + level) / 2)
    share = successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Interval(low=max(0.0, middle - reach), high=min(1.0, middle + reach))


def wilcoxon_exact(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> SignedRanks:
    """Test paired values by signed ranks, exact also with ties.

    Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1 (1945): w is the smaller sum of
    ranks of the positive and of the negative differences; zeros are dropped, ties share a rank, and p counts the
    2^N assignments of signs to these ranks. Differences are rounded to twelve significant digits before ranking,
    for floating-point noise would break ties.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"needs two series of one length (got shapes {first.shape} and {second.shape})")
    # Rounded at the size of the values: 0.3 - 0.1 - 0.2 is noise, though it has digits of its own.
    size = float(np.abs([first, second]).max(initial=0))
    differences = round_noise(first - second)
    differences = differences[np.abs(differences) > size * 1e-14]
    if not np.isfinite(differences).all():
        raise ValueError("needs finite values")
    # Whole numbers, halves of ties included.
    doubled = np.rint(2 * rank_values(np.abs(differences))).astype(int)
    positive = int(doubled[differences > 0].sum())
    w = min(positive, int(doubled.sum()) - positive)
    p = min(1.0, 2 * float(_count_signs(doubled)[: w + 1].sum()))
    return SignedRanks(w=w / 2, p=p)


def _count_signs(ranks: np.ndarray) -> np.ndarray:
    """Return the probability of every sum of the ranks that a fair coin picks."""
    sums = np.zeros(int(ranks.sum()) + 1)
    sums[0] = 1.0
    for rank in ranks:
        picked = np.zeros_like(sums)
        picked[rank:] = sums[: len(sums) - rank]
        sums = (sums + picked) / 2
    return sums


def _check_differences(differences: Sequence[float] | np.ndarray) -> np.ndarray:
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"a t-test needs at least 2 differences (got an array of shape {values.shape})")
    if not np.isfinite(values).all():
        raise ValueError("a t-test needs finite differences")
    return values
