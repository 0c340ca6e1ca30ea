"""Power: whether tests over data sets could find anything, from formulas alone."""

from __future__ import annotations

from functools import cache
from itertools import count
from math import comb

import numpy as np

from harness.judge.stats import friedman, mcnemar_exact, nemenyi

LEVEL = 0.05


@cache
def has_power(datasets: int, methods: int) -> bool:
    """Say whether Friedman's and Nemenyi's tests could still reject if one data set turned best and worst round.

    Where only complete agreement can be significant a single data set decides everything, and the laws that give p do
    not hold yet: on three data sets of three methods Iman and Davenport's F rejects a true null in 19 % of cases. From
    the counts that this asks for on, all three laws keep their 5 % within a point.
    """
    if datasets < 2:
        return False
    if methods == 2:  # then both are a sign test, whose exact law is known
        return mcnemar_exact(1, datasets - 1) < LEVEL
    scores = _agree(datasets, methods)
    scores[-1, [0, -1]] = scores[-1, [-1, 0]]
    found = friedman(scores)
    return bool(max(found.p, found.f_p, nemenyi(scores).p[0, -1]) < LEVEL)


@cache
def count_needed(methods: int) -> int:
    """Return the fewest data sets with which Friedman's and Nemenyi's tests have power."""
    return next(datasets for datasets in count(2) if has_power(datasets, methods))


@cache
def find_smallest_p(datasets: int, methods: int) -> float:
    """Return Nemenyi's p of the best against the worst where all data sets rank all methods alike."""
    return float(nemenyi(_agree(datasets, methods)).p[0, -1])


def find_smallest_wilcoxon_p(datasets: int, methods: int) -> float:
    """Return the smallest p that the exact Wilcoxon test can give any pair after Holm: 2/2^N times the pairs."""
    return min(1.0, 2.0 ** (1 - datasets) * comb(methods, 2))


def count_needed_by_wilcoxon(methods: int) -> int:
    """Return the fewest data sets with which some pair could be significant by Wilcoxon and Holm."""
    return next(datasets for datasets in count(1) if find_smallest_wilcoxon_p(datasets, methods) < LEVEL)


def _agree(datasets: int, methods: int) -> np.ndarray:
    """Return scores (data sets, methods) that rank the methods alike everywhere, the first being the best."""
    return np.tile(np.arange(methods, 0, -1.0), (datasets, 1))
