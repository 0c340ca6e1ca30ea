"""Ranking test: whether methods differ over data sets, and which of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from harness.judge.power import (
    LEVEL,
    count_needed,
    count_needed_by_wilcoxon,
    find_smallest_p,
    find_smallest_wilcoxon_p,
    has_power,
)
from harness.judge.stats import bradley_terry, friedman, holm, nemenyi, wilcoxon_exact
from harness.judge.stats.ranks import rank_methods


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodPair:
    """Two methods over all data sets: how often the first ranks higher, as high and lower, and what tests say.

    `nemenyi_p` is adjusted for all pairs by its law; `wilcoxon_p` is exact and alone, `holm_p` adjusted for all pairs.
    """

    first: str
    second: str
    wins: int
    ties: int
    losses: int
    nemenyi_p: float
    wilcoxon_w: float | None = None  # None: the scores are not of one metric
    wilcoxon_p: float | None = None
    holm_p: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingTest:
    """Friedman's test over data sets, Nemenyi's of all pairs, and whether either could find anything.

    `methods` stand by mean rank, best first, and so do their `mean_ranks` and `strengths`, the logarithms of
    Bradley and Terry's. `cliques` are the methods that cannot be told apart, as many in each as possible; one of all
    where nothing differs. Without `power` the figures are those of the formulas, and nothing follows from them.
    """

    methods: tuple[str, ...]
    datasets: int
    mean_ranks: tuple[float, ...]
    strengths: tuple[float, ...]
    power: bool
    smallest_p: float  # of the best against the worst, if all data sets agreed
    needed: int  # data sets for power
    chi2: float
    p: float
    f: float | None  # None: all data sets agree, and it is infinite; or there is one alone
    f_p: float | None
    cd: float
    differ: bool
    cliques: tuple[tuple[str, ...], ...]
    pairs: tuple[MethodPair, ...]
    sentences: tuple[str, ...]


def examine_ranks(
    scores: np.ndarray, methods: Sequence[str], *, words: tuple[str, str], averaged: bool = False
) -> RankingTest:
    """Return the test of scores (data sets, methods), higher being better; `words` call a data set and a method.

    `averaged` says that a score is a mean over what is not independent. Names and orders change no number.
    """
    ranks = rank_methods(scores)
    order = np.argsort(ranks.mean(axis=0), kind="stable")
    ranks, names = ranks[:, order], tuple(methods[place] for place in order)
    friedman_test, nemenyi_test = friedman(-ranks), nemenyi(-ranks)
    wins = _count_wins(ranks)
    datasets = len(ranks)
    power = has_power(datasets, len(names))
    f_p = friedman_test.f_p if math.isfinite(friedman_test.f_p) else None
    test = RankingTest(
        methods=names,
        datasets=datasets,
        mean_ranks=tuple(map(float, friedman_test.mean_ranks)),
        strengths=tuple(map(float, bradley_terry(wins).strengths)),
        power=power,
        smallest_p=find_smallest_p(datasets, len(names)),
        needed=count_needed(len(names)),
        chi2=friedman_test.chi2,
        p=friedman_test.p,
        f=friedman_test.f if math.isfinite(friedman_test.f) else None,
        f_p=f_p,
        cd=nemenyi_test.cd,
        differ=power and f_p is not None and f_p < LEVEL,
        cliques=(names,),
        pairs=_list_pairs(names, ranks, nemenyi_test.p),
        sentences=(),
    )
    if test.differ:
        test = replace(test, cliques=_find_cliques(names, nemenyi_test.p))
    return replace(test, sentences=(_tell(test, words, averaged=averaged),))


def add_wilcoxon(test: RankingTest, scores: np.ndarray, *, word: str) -> RankingTest:
    """Return the test with Wilcoxon's exact one of every pair, of scores (data sets, its methods) of one metric."""
    columns = list(combinations(range(len(test.methods)), 2))
    found = [wilcoxon_exact(scores[:, first], scores[:, second]) for first, second in columns]
    adjusted = holm([each.p for each in found])
    pairs = tuple(
        replace(pair, wilcoxon_w=each.w, wilcoxon_p=each.p, holm_p=float(p))
        for pair, each, p in zip(test.pairs, found, adjusted, strict=True)
    )
    return replace(
        test,
        pairs=pairs,
        sentences=(*test.sentences, _tell_wilcoxon(test.datasets, pairs, test.methods, word)),
    )


def _count_wins(ranks: np.ndarray) -> np.ndarray:
    """Return on how many data sets each method ranks above each, (methods, methods), half of one for a tie."""
    above = (ranks[:, :, None] < ranks[:, None, :]).sum(axis=0)
    tied = (ranks[:, :, None] == ranks[:, None, :]).sum(axis=0)
    wins: np.ndarray = above + tied / 2
    np.fill_diagonal(wins, 0)
    return wins


def _list_pairs(names: Sequence[str], ranks: np.ndarray, p: np.ndarray) -> tuple[MethodPair, ...]:
    return tuple(
        MethodPair(
            first=names[i],
            second=names[j],
            wins=int((ranks[:, i] < ranks[:, j]).sum()),
            ties=int((ranks[:, i] == ranks[:, j]).sum()),
            losses=int((ranks[:, i] > ranks[:, j]).sum()),
            nemenyi_p=float(p[i, j]),
        )
        for i, j in combinations(range(len(names)), 2)
    )


def _find_cliques(names: Sequence[str], p: np.ndarray) -> tuple[tuple[str, ...], ...]:
    """Return the longest runs of methods, best first, whose ends Nemenyi does not tell apart."""
    found: list[tuple[str, ...]] = []
    reached = 0
    for first in range(len(names)):
        last = max(place for place in range(first, len(names)) if p[first, place] >= LEVEL)
        if last > first and last > reached:
            found.append(tuple(names[first : last + 1]))
            reached = last
    return tuple(found)


def _tell(test: RankingTest, words: tuple[str, str], *, averaged: bool) -> str:
    cluster, method = words
    counted = f"{test.datasets} {cluster}{'s' * (test.datasets != 1)}"
    if not test.power:
        why = (
            f"nothing could be significant (p = {test.smallest_p:.2f} even if all agree)"
            if test.smallest_p >= LEVEL
            else f"one {cluster} that disagrees would undo any result (p = {test.smallest_p:.2f} even if all agree)"
        )
        return (
            f"No test across {cluster}s: with {counted} and {len(test.methods)} {method}s {why}; "
            f"{test.needed} {cluster}s would do."
        )
    f = "infinite" if test.f is None else f"{test.f:.2f}"
    figures = f"Friedman {test.chi2:.2f}, {show_p(test.p)}; Iman-Davenport F {f}, {show_p(test.f_p or 0.0)}"
    one = f" {cluster.capitalize()}s count once: ranks within one are averaged first." if averaged else ""
    if not test.differ:
        return f"Across {counted} no difference between the {method}s is seen ({figures}).{one}"
    apart = [(pair.first, pair.second) for pair in test.pairs if pair.nemenyi_p < LEVEL]
    told = _tell_apart(test.methods, apart) or "no pair by itself"
    return (
        f"Across {counted} the {method}s differ ({figures}). By Nemenyi, mean ranks {test.cd:.2f} or more apart: "
        f"{told}.{one}"
    )


def _tell_wilcoxon(datasets: int, pairs: Sequence[MethodPair], names: Sequence[str], word: str) -> str:
    methods = len(names)
    smallest = find_smallest_wilcoxon_p(datasets, methods)
    if smallest >= LEVEL:
        return (
            f"No test of single pairs: with {datasets} {word}{'s' * (datasets != 1)} none of {len(pairs)} could be "
            f"significant (Wilcoxon, exact, after Holm p = {smallest:.2f} at best); "
            f"{count_needed_by_wilcoxon(methods)} would do."
        )
    apart = [(pair.first, pair.second) for pair in pairs if pair.holm_p is not None and pair.holm_p < LEVEL]
    told = _tell_apart(names, apart) or "no pair differs"
    return f"Single pairs (Wilcoxon, exact, Holm over {len(pairs)}): {told}."


def _tell_apart(names: Sequence[str], apart: Sequence[tuple[str, str]]) -> str:
    """Return which methods are told from which, each with all of those that are worse."""
    told = []
    for name in names:
        worse = [second for first, second in apart if first == name]
        if worse:
            told.append(f"{name} from {', '.join(worse)}")
    return "; ".join(told)


def show_p(p: float) -> str:
    """Return a probability as it stands in a sentence."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
