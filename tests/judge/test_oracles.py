"""Every formula agrees with other people's programs on random numbers, to nine digits or as far as they go."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from harness.judge import stats

SEEDS = range(5)


def draw_scores(seed: int, *, ties: bool) -> np.ndarray:
    """Return scores (data sets, methods) of two to six methods on seven to fifteen data sets."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(7, 16)), int(rng.integers(3, 7)))
    return rng.integers(0, 9, size=shape) / 10 if ties else rng.random(shape)


@pytest.mark.parametrize("ties", [False, True], ids=["apart", "tied"])
@pytest.mark.parametrize("seed", SEEDS)
def test_friedman_is_scipys(seed: int, ties: bool) -> None:
    scores = draw_scores(seed, ties=ties)
    expected = scipy_stats.friedmanchisquare(*scores.T)
    test = stats.friedman(scores)
    assert (test.chi2, test.p) == (
        pytest.approx(expected.statistic, rel=1e-9),
        pytest.approx(expected.pvalue, rel=1e-9),
    )
    datasets, methods = scores.shape
    f = (datasets - 1) * test.chi2 / (datasets * (methods - 1) - test.chi2)
    assert test.f_p == pytest.approx(
        scipy_stats.f.sf(f, methods - 1, (methods - 1) * (datasets - 1)), rel=1e-9
    )


@pytest.mark.parametrize("methods", [2, 3, 5, 10, 40])
def test_nemenyis_law_is_scipys_studentized_range(methods: int) -> None:
    rng = np.random.default_rng(methods)
    scores = rng.random((9, methods))
    test = stats.nemenyi(scores)
    unit = math.sqrt(methods * (methods + 1) / (6 * 9))
    for i, j in combinations(range(min(methods, 5)), 2):
        q = abs(test.mean_ranks[i] - test.mean_ranks[j]) / unit
        assert test.p[i, j] == pytest.approx(
            scipy_stats.studentized_range.sf(q * math.sqrt(2), methods, np.inf), rel=1e-9, abs=1e-12
        )
    expected = scipy_stats.studentized_range.ppf(0.95, methods, np.inf) / math.sqrt(2) * unit
    assert test.cd == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_nemenyi_is_that_of_scikit_posthocs(seed: int) -> None:
    posthocs = pytest.importorskip("scikit_posthocs")
    scores = draw_scores(seed, ties=True)
    expected = posthocs.posthoc_nemenyi_friedman(scores).to_numpy()
    assert stats.nemenyi(scores).p == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_correlated_bayesian_t_is_baycomps(seed: int) -> None:
    baycomp = pytest.importorskip("baycomp")
    rng = np.random.default_rng(seed)
    repeats, rope = int(rng.integers(1, 5)), 0.01
    first = rng.normal(0.8, 0.02, size=5 * repeats)
    second = first - rng.normal(0.01, 0.02, size=5 * repeats)
    better, equivalent, worse = baycomp.CorrelatedTTest.probs(first, second, rope=rope, runs=repeats)
    found = stats.correlated_bayesian_t(first - second, rho=1 / 5, rope=rope)
    assert (found.worse, found.equivalent, found.better) == (
        pytest.approx(worse, abs=1e-9),
        pytest.approx(equivalent, abs=1e-9),
        pytest.approx(better, abs=1e-9),
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(stats.bayesian_sign, "SignTest"), (stats.bayesian_signed_rank, "SignedRankTest")],
)
def test_beliefs_over_data_sets_are_baycomps(ours: Any, theirs: str, seed: int) -> None:
    baycomp = pytest.importorskip("baycomp")
    rng = np.random.default_rng(seed)
    first = rng.normal(0.8, 0.02, size=12)
    second = first - rng.normal(0.01, 0.02, size=12)
    better, equivalent, worse = getattr(baycomp, theirs).probs(first, second, rope=0.01, random_state=seed)
    found = ours(first - second, rope=0.01)
    # Both draw 50,000 times: four standard errors of a difference of two shares.
    expected = (worse, equivalent, better)
    assert (found.worse, found.equivalent, found.better) == pytest.approx(expected, abs=0.013)


@pytest.mark.parametrize("seed", SEEDS)
def test_bradley_terrys_strengths_are_choixs(seed: int) -> None:
    choix = pytest.importorskip("choix")
    rng = np.random.default_rng(seed)
    wins = rng.integers(0, 9, size=(5, 5)).astype(float)
    np.fill_diagonal(wins, 0)
    expected = choix.lsr_pairwise_dense(wins + 0.5 * (1 - np.eye(5)))
    for _ in range(200):
        expected = choix.lsr_pairwise_dense(wins + 0.5 * (1 - np.eye(5)), initial_params=expected)
    assert stats.bradley_terry(wins).strengths == pytest.approx(expected - expected.mean(), abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_mcnemar_wilson_and_holm_are_statsmodels(seed: int) -> None:
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    rng = np.random.default_rng(seed)
    b, c = map(int, rng.integers(0, 60, size=2))
    assert stats.mcnemar_exact(b, c) == pytest.approx(
        tables.mcnemar([[5, b], [c, 5]], exact=True).pvalue, rel=1e-9
    )
    n = int(rng.integers(1, 500))
    successes = int(rng.integers(0, n + 1))
    for level in (0.8, 0.95, 0.99):
        interval = stats.wilson(successes, n, level=level)
        expected = proportion.proportion_confint(successes, n, alpha=1 - level, method="wilson")
        assert (interval.low, interval.high) == (
            pytest.approx(expected[0], abs=1e-12),
            pytest.approx(expected[1], abs=1e-12),
        )
    p = rng.random(int(rng.integers(1, 12))) ** 3
    assert stats.holm(p) == pytest.approx(multitest.multipletests(p, method="holm")[1], rel=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_mcnemar_is_scipys_binomial_test(seed: int) -> None:
    b, c = map(int, np.random.default_rng(seed).integers(1, 200, size=2))
    assert stats.mcnemar_exact(b, c) == pytest.approx(scipy_stats.binomtest(b, b + c).pvalue, rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_corrected_t_scales_scipys_t_by_its_correction(seed: int) -> None:
    """Nadeau and Bengio's statistic is the ordinary one times sqrt((1/J) / (1/J + n_test/n_train))."""
    differences = np.random.default_rng(seed).normal(0.3, 1, size=15)
    plain = scipy_stats.ttest_1samp(differences, 0)
    test = stats.corrected_resampled_t(differences, test_over_train=0.25)
    t = plain.statistic * math.sqrt((1 / 15) / (1 / 15 + 0.25))
    assert (test.t, test.p) == (
        pytest.approx(t, rel=1e-9),
        pytest.approx(2 * scipy_stats.t.sf(abs(t), 14), rel=1e-9),
    )
    assert (test.low, test.high) == (
        pytest.approx(test.mean - scipy_stats.t.ppf(0.975, 14) * test.se, rel=1e-9),
        pytest.approx(test.mean + scipy_stats.t.ppf(0.975, 14) * test.se, rel=1e-9),
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_the_5x2_f_is_alpaydins_formula_written_out(seed: int) -> None:
    differences = np.random.default_rng(seed).normal(0.2, 1, size=(5, 2))
    variances = 0.0
    for first, second in differences:
        mean = (first + second) / 2
        variances += (first - mean) ** 2 + (second - mean) ** 2
    f = sum(float(each) ** 2 for each in differences.ravel()) / (2 * variances)
    test = stats.five_by_two_f(differences)
    assert (test.f, test.p) == (
        pytest.approx(f, rel=1e-9),
        pytest.approx(scipy_stats.f.sf(f, 10, 5), rel=1e-9),
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_the_exact_wilcoxon_counts_every_assignment_of_signs_where_ranks_tie(seed: int) -> None:
    rng = np.random.default_rng(seed)
    differences = rng.integers(-3, 4, size=9).astype(float)
    test = stats.wilcoxon_exact(differences, np.zeros(9))
    kept = differences[differences != 0]
    ranks = scipy_stats.rankdata(np.abs(kept))
    signs = np.array(np.meshgrid(*[[0, 1]] * len(kept))).reshape(len(kept), -1)
    sums = ranks @ signs
    w = min(ranks[kept > 0].sum(), ranks[kept < 0].sum())
    assert (test.w, test.p) == (w, pytest.approx(min(1.0, 2 * float((sums <= w).mean())), rel=1e-9))
