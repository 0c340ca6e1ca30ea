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
    """Return the probability that the studentized range of many methods lies above q √2, its degrees being infinite."""
    from scipy import special

    # Not scipy.stats: its import takes longer than everything else that judges. The range of k normals lies below r
    # with k ∫ φ(z) (Φ(z) - Φ(z - r))^(k-1) dz, and the trapezoid rule is exact to rounding for what vanishes so fast.
    z = np.linspace(-9.0, 9.0, 721)  # (places,) of the largest
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi) * (z[1] - z[0])
    between = special.ndtr(z) - special.ndtr(z - math.sqrt(2) * np.asarray(q, dtype=np.float64)[..., None])
    return np.asarray(np.clip(1 - methods * (between ** (methods - 1) @ density), 0.0, 1.0))


def range_quantile(share: float, methods: int) -> float:
    """Return the q for which the studentized range lies below q √2 with probability `share`."""
    low, high = 0.0, 20.0
    while (middle := (low + high) / 2) not in (low, high):
        if 1 - float(range_above(np.asarray(middle), methods)) < share:
            low = middle
        else:
            high = middle
    return high
