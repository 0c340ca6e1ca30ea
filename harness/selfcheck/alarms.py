"""False alarms: how often each test sees a difference where there is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np

from harness import plugins
from harness.judge import stats
from harness.selfcheck.finding import Finding

CHECK = "false alarms"
ALPHA = 0.05
FOLDS, REPEATS = 5, 3
DATASETS, METHODS = 12, 3

Alarm = Callable[[np.random.Generator], bool]


def count_false_alarms(*, simulations: int, rankings: int, bootstraps: int) -> Iterator[Finding]:
    """Yield the share of simulated nulls that each test rejects at 5 %, and what `compare` calls a regression.

    The bands: a t or F may be off by two points; an exact test keeps 5 % but for the noise of the simulation. The
    lower ends catch a test that never rejects. `rankings` are simulated for what ranks, `bootstraps` for what draws.
    """
    paired: list[tuple[str, Alarm, float, float]] = [
        ("corrected resampled t, 3x5 correlated folds", _reject_t, 0.03, 0.07),
        ("5x2 F, independent folds", _reject_five_by_two, 0.01, 0.07),
        ("McNemar, exact, 100 disagreements", _reject_mcnemar, 0.02, 0.06),
        ("Wilson interval misses the share", _miss_share, 0.03, 0.07),
    ]
    *children, ranked, drawn = np.random.SeedSequence(2).spawn(len(paired) + 2)
    for (name, alarm, low, high), child in zip(paired, children, strict=True):
        yield _find(name, _count(alarm, simulations, child), low, high)
    yield from _count_in_rankings(rankings, np.random.default_rng(ranked))
    rate = _count(_regress, bootstraps, drawn)
    yield _find("compare, a cell without a change, tolerance 0", rate, 0.0, 0.05)


def _find(name: str, rate: float, low: float, high: float) -> Finding:
    return Finding(check=CHECK, what=name, figure=rate, low=low, high=high)


def _count_in_rankings(rankings: int, rng: np.random.Generator) -> Iterator[Finding]:
    """Yield what the tests over data sets reject, all on the same scores of methods that do not differ."""
    cd = stats.nemenyi_critical_difference(METHODS, DATASETS)
    told = f"{METHODS} methods, {DATASETS} data sets"
    tests = (
        (f"Wilcoxon, exact, {DATASETS} data sets", 0.02, 0.06),
        (f"Wilcoxon and Holm, any pair of {told}", 0.02, 0.06),
        (f"Friedman, {told}", 0.03, 0.07),
        (f"Iman-Davenport F, {told}", 0.03, 0.07),
        (f"Nemenyi, any pair of {told}", 0.02, 0.07),
    )
    rejected = np.array([_reject_ranks(rng, cd) for _ in range(rankings)]).mean(axis=0)
    for (name, low, high), rate in zip(tests, rejected.tolist(), strict=True):
        yield _find(name, rate, low, high)


def _reject_ranks(rng: np.random.Generator, cd: float) -> tuple[bool, bool, bool, bool, bool]:
    """Return what each test says of methods that do not differ, on data sets that do."""
    scores = rng.normal(size=(DATASETS, METHODS)) + 3 * rng.normal(size=(DATASETS, 1))
    found = stats.friedman(scores)
    pairs = combinations(range(METHODS), 2)
    p = [stats.wilcoxon_exact(scores[:, i], scores[:, j]).p for i, j in pairs]
    return (
        p[0] < ALPHA,
        bool(stats.holm(p).min() < ALPHA),
        found.p < ALPHA,
        found.f_p < ALPHA,
        float(np.ptp(found.mean_ranks)) > cd,
    )


def _count(alarm: Alarm, simulations: int, child: np.random.SeedSequence) -> float:
    rng = np.random.default_rng(child)
    return sum(alarm(rng) for _ in range(simulations)) / simulations


def _reject_t(rng: np.random.Generator) -> bool:
    """Test differences of 0 over folds that correlate by 1/K, as training parts that overlap make them."""
    shared = math.sqrt(1 / FOLDS) * rng.normal()
    differences = math.sqrt(1 - 1 / FOLDS) * rng.normal(size=FOLDS * REPEATS) + shared
    return stats.corrected_resampled_t(differences, test_over_train=1 / (FOLDS - 1)).p < ALPHA


def _reject_five_by_two(rng: np.random.Generator) -> bool:
    return stats.five_by_two_f(rng.normal(size=(5, 2))).p < ALPHA


def _reject_mcnemar(rng: np.random.Generator) -> bool:
    first = int(rng.binomial(100, 0.5))
    return stats.mcnemar_exact(first, 100 - first) < ALPHA


def _miss_share(rng: np.random.Generator) -> bool:
    share = rng.uniform(0.5, 0.95)  # at one share alone the interval's coverage depends on that share
    interval = stats.wilson(int(rng.binomial(200, share)), 200)
    return not interval.low <= share <= interval.high


def _regress(rng: np.random.Generator) -> bool:
    """Compare two models that are right on 80 % of 200 examples, as `harness compare` does with tolerance 0."""
    targets = np.zeros(200, dtype=np.int64)
    first, second = (np.eye(2)[(rng.random(200) >= 0.8).astype(int)] for _ in range(2))
    accuracy = plugins.find("metrics", "accuracy").score
    return stats.bootstrap_difference(first, second, targets, accuracy).high < 0
