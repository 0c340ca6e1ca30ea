"""The probability laws that the formulas need: the door to scipy, which takes longer to import than to use."""

from __future__ import annotations

import math

import numpy as np


def student_below(t: float, df: float) -> float:
    """Return the probability that Student's t lies below `t`."""
    from scipy import special

    return float(special.stdtr(df, t))


def student_quantile(share: float, df: float) -> float:
    """Return the t below which Student's t lies with probability `share`."""
    from scipy import special

    return float(special.stdtrit(df, share))


def noncentral_student_below(t: float, df: float, shift: float) -> float:
    """Return the probability that Student's t around `shift` lies below `t`."""
    from scipy import special

    return float(special.nctdtr(df, shift, t))


def normal_quantile(share: float) -> float:
    """Return the z below which a standard normal lies with probability `share`."""
    from scipy import special

    return float(special.ndtri(share))


def f_above(f: float, df: float, df_rest: float) -> float:
    """Return the probability that F lies above `f`."""
    from scipy import special

    return float(special.fdtrc(df, df_rest, f))


def chi2_above(chi2: float, df: float) -> float:
    """Return the probability that chi-square lies above `chi2`."""
    from scipy import special

    return float(special.chdtrc(df, chi2))


def coin_at_most(heads: int, tosses: int) -> float:
    """Return the probability of at most `heads` heads of a fair coin."""
    from scipy import special

    return float(special.bdtr(heads, tosses, 0.5))


def range_above(q: np.ndarray, methods: int) -> np.ndarray:
    """Return the probability that the studentized range of many methods lies above q √2."""
    from scipy import stats

    return np.asarray(stats.studentized_range.sf(q * math.sqrt(2), methods, np.inf))


def range_quantile(share: float, methods: int) -> float:
    """Return the q for which the studentized range lies below q √2 with probability `share`."""
    from scipy import stats

    return float(stats.studentized_range.ppf(share, methods, np.inf)) / math.sqrt(2)
