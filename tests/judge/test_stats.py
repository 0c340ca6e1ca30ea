"""Every formula gives the numbers of independent programs, and stays honest at the edges."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats as oracle

from harness import plugins
from harness.judge import stats

A = np.array([0.80, 0.82, 0.79, 0.85, 0.81, 0.83, 0.80, 0.84, 0.78, 0.82])
B = np.array([0.78, 0.81, 0.80, 0.82, 0.79, 0.80, 0.79, 0.81, 0.77, 0.80])
X = np.array(
    [
        [0.85, 0.83, 0.80, 0.78],
        [0.90, 0.91, 0.86, 0.85],
        [0.70, 0.68, 0.69, 0.60],
        [0.95, 0.94, 0.94, 0.90],
        [0.60, 0.62, 0.55, 0.50],
        [0.77, 0.75, 0.76, 0.70],
    ]
)
PAIRS = list(itertools.combinations(range(4), 2))


def near(value: float) -> object:
    return pytest.approx(value, rel=1e-9, abs=1e-12)


def test_the_corrected_t_equals_its_reference() -> None:
    test = stats.corrected_resampled_t(A - B, test_over_train=0.25)
    assert (test.mean, test.se, test.t, test.df) == (
        near(0.017),
        near(0.007404953297174347),
        near(2.2957605966923507),
        9,
    )
    assert test.p == near(0.04732653311598123)
    assert (test.low, test.high) == (near(0.00024883185861083665), near(0.03375116814138911))


def test_without_a_correction_it_is_the_ordinary_t() -> None:
    test = stats.corrected_resampled_t(A - B, test_over_train=0)
    assert (test.t, test.p) == (near(4.294974797439242), near(0.002005378838710008))


def test_a_t_without_spread_is_0_or_infinite() -> None:
    assert stats.corrected_resampled_t([0.0, 0.0, 0.0], test_over_train=0.5).p == 1.0
    test = stats.corrected_resampled_t([-0.5, -0.5, -0.5], test_over_train=0.5)
    assert (test.t, test.p, test.low, test.high) == (-math.inf, 0.0, -0.5, -0.5)


def test_a_null_on_ten_times_five_folds_is_not_rejected_too_often() -> None:
    rng = np.random.default_rng(7)
    rejected = naive = 0
    for _ in range(400):
        # Folds of one repeat share training examples: a common shift makes them correlated, by 1/K.
        folds = rng.normal(size=50) * math.sqrt(0.8) + rng.normal() * math.sqrt(0.2)
        rejected += stats.corrected_resampled_t(folds, test_over_train=0.25).p < 0.05
        naive += stats.corrected_resampled_t(folds, test_over_train=0).p < 0.05
    assert rejected / 400 < 0.09
    assert naive / 400 > 0.3


@pytest.mark.parametrize("bad", [[0.1], [[0.1, 0.2]], [0.1, math.nan]])
def test_a_t_of_what_is_no_series_is_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="t-test needs"):
        stats.corrected_resampled_t(bad, test_over_train=0.5)


@pytest.mark.parametrize(
    ("rho", "worse", "equivalent", "better"),
    [
        (0.2, 0.0026744885264416702, 0.18191784544619807, 0.8154076660273603),
        (0.1, 0.0005641790303278656, 0.12667999269092067, 0.8727558282787514),
    ],
)
def test_the_correlated_bayesian_t_equals_its_reference(
    rho: float, worse: float, equivalent: float, better: float
) -> None:
    posterior = stats.correlated_bayesian_t(A - B, rho=rho, rope=0.01)
    assert (posterior.worse, posterior.equivalent, posterior.better) == (
        near(worse),
        near(equivalent),
        near(better),
    )


def test_a_posterior_without_spread_is_certain() -> None:
    assert stats.correlated_bayesian_t([0.5, 0.5], rho=0.2, rope=0.01).better == 1.0
    assert stats.correlated_bayesian_t([0.0, 0.0], rho=0.2, rope=0.01).equivalent == 1.0
    with pytest.raises(ValueError, match="correlation"):
        stats.correlated_bayesian_t([0.5, 0.4], rho=1.0)


def test_the_5x2_f_equals_its_reference() -> None:
    test = stats.five_by_two_f([[0.02, 0.01], [0.03, 0], [0.015, 0.025], [0.01, 0.02], [0.03, 0.01]])
    assert (test.f, test.p) == (near(2.34375), near(0.1797875319719247))
    assert stats.five_by_two_f([[0.1, 0.1]] * 5).p == 0.0
    assert stats.five_by_two_f([[0.0, 0.0]] * 5).p == 1.0
    with pytest.raises(ValueError, match="shape"):
        stats.five_by_two_f([[0.1, 0.2]])


def test_mcnemar_and_wilson_equal_their_references() -> None:
    assert stats.mcnemar_exact(12, 25) == near(0.04703102743951604)
    assert stats.mcnemar_exact(25, 12) == near(0.04703102743951604)
    assert stats.mcnemar_exact(0, 0) == stats.mcnemar_exact(3, 3) == 1.0
    interval = stats.wilson(170, 200)
    assert (interval.low, interval.high) == (near(0.7939442071583334), near(0.89286406437758))
    assert stats.wilson(0, 10).low == 0.0
    assert stats.wilson(10, 10).high == near(1.0)
    with pytest.raises(ValueError, match="successes"):
        stats.wilson(3, 2)
    with pytest.raises(ValueError, match="not negative"):
        stats.mcnemar_exact(-1, 2)


def test_the_exact_wilcoxon_equals_its_reference() -> None:
    test = stats.wilcoxon_exact(A, B)
    assert (test.w, test.p) == (2.5, near(0.009765625))
    found = [stats.wilcoxon_exact(X[:, i], X[:, j]).p for i, j in PAIRS]
    assert found == [near(p) for p in (0.5, 0.03125, 0.03125, 0.3125, 0.03125, 0.03125)]
    assert stats.holm(found) == pytest.approx([0.625, 0.1875, 0.1875, 0.625, 0.1875, 0.1875])


def test_the_exact_wilcoxon_equals_scipys_where_nothing_ties() -> None:
    rng = np.random.default_rng(1)
    for size in (5, 12, 25):
        first, second = rng.normal(size=size), rng.normal(size=size) + 0.3
        expected = oracle.wilcoxon(first, second, method="exact")
        test = stats.wilcoxon_exact(first, second)
        assert (test.w, test.p) == (expected.statistic, near(expected.pvalue))


def test_the_exact_wilcoxon_without_a_difference_finds_none() -> None:
    assert stats.wilcoxon_exact([0.3, 0.1 + 0.2], [0.1 + 0.2, 0.3]).p == 1.0
    with pytest.raises(ValueError, match="one length"):
        stats.wilcoxon_exact([1.0], [1.0, 2.0])


def test_friedman_and_iman_davenport_equal_their_references() -> None:
    test = stats.friedman(X)
    assert list(test.mean_ranks) == [near(8 / 6), near(12.5 / 6), near(15.5 / 6), near(4.0)]
    assert (test.chi2, test.p) == (near(13.881355932203396), near(0.0030711773960670585))
    assert (test.f, test.f_p) == (near(16.851851851851887), near(4.548592983771124e-05))


def test_friedman_at_perfect_agreement_and_at_none() -> None:
    agreed = stats.friedman([[3.0, 2.0, 1.0]] * 4)
    assert (agreed.f, agreed.f_p) == (math.inf, 0.0)
    tied = stats.friedman([[1.0, 1.0, 1.0]] * 4)
    assert (tied.chi2, tied.p, tied.f_p) == (0.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="finite"):
        stats.friedman([[1.0, math.nan]])
    with pytest.raises(ValueError, match="two methods"):
        stats.friedman([[1.0]])


def test_nemenyi_equals_its_reference() -> None:
    test = stats.nemenyi(X)
    assert test.cd == near(1.9148432265902373)
    expected = dict(zip(PAIRS, (0.745772, 0.335837, 0.001966, 0.908132, 0.049676, 0.227697), strict=True))
    for (i, j), p in expected.items():
        assert test.p[i, j] == test.p[j, i] == pytest.approx(p, abs=5e-7)
    assert (test.p.diagonal() == 1).all()
    with pytest.raises(ValueError, match="two methods"):
        stats.nemenyi_critical_difference(1, 6)


def test_bradley_terry_equals_its_reference() -> None:
    strengths = stats.bradley_terry([[0, 4, 6, 6], [2, 0, 3.5, 6], [0, 2.5, 0, 6], [0, 0, 0, 0]]).strengths
    assert strengths == pytest.approx([1.47797526, 0.56577347, -0.00800273, -2.03574601], abs=1e-7)
    with pytest.raises(ValueError, match="square"):
        stats.bradley_terry([[0, 1]])


def test_the_interquartile_mean_trims_a_quarter_from_each_end() -> None:
    assert stats.interquartile_mean([0, 1, 2, 3, 10, 100]) == 4.0
    values = np.random.default_rng(0).normal(size=37)
    assert stats.interquartile_mean(values) == near(oracle.trim_mean(values, 0.25))
    with pytest.raises(ValueError, match="at least one"):
        stats.interquartile_mean([])


C = np.array(
    [[1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 1, 1], [1, 1, 0], [0, 0, 1], [1, 1, 1], [1, 0, 1]], dtype=float
)
BAGS = [
    [6, 5, 4, 2, 2, 0, 0, 0],
    [1, 6, 5, 7, 4, 4, 7, 5],
    [5, 4, 4, 7, 2, 6, 5, 0],
    [3, 6, 4, 0, 6, 5, 6, 1],
    [0, 6, 0, 4, 0, 2, 3, 3],
]


def test_bbc_equals_its_reference_bag_by_bag() -> None:
    each = [stats.bbc_cv(C, bags=[bag]).estimate for bag in BAGS]
    assert each == [near(value) for value in (1 / 3, 2 / 3, 1, 0.5, 0)]
    result = stats.bbc_cv(C, bags=BAGS)
    assert result.estimate == near(0.5)
    assert (result.raw_best, result.chosen) == (0.75, 0)


def test_bbc_takes_the_flattery_out_of_noise() -> None:
    rng = np.random.default_rng(3)
    results = [stats.bbc_cv(rng.integers(0, 2, size=(200, 30)).astype(float), bags=100) for _ in range(20)]
    flattered, corrected = (
        np.mean([getattr(result, name) for result in results]) - 0.5 for name in ("raw_best", "estimate")
    )
    assert flattered > 0.05
    assert abs(corrected) < flattered / 4
    assert all(result.low < result.estimate < result.high for result in results)


def test_bbc_draws_the_same_bags_from_the_same_seed() -> None:
    scores = np.random.default_rng(4).random((40, 3))
    assert stats.bbc_cv(scores, bags=50, seed=1) == stats.bbc_cv(scores, bags=50, seed=1)
    assert stats.bbc_cv(scores, bags=50, seed=1) != stats.bbc_cv(scores, bags=50, seed=2)


def test_bbc_draws_whole_groups() -> None:
    groups = ["a", "a", "b", "b", "c", "c", "d", "d"]
    scores = np.repeat(np.array([[1.0, 0], [0, 1], [1, 0], [0, 1]]), 2, axis=0)
    seen = stats.bbc_cv(scores, bags=[[0, 1, 2, 3]], groups=groups)
    assert seen.estimate == 0.5
    assert stats.bbc_cv(scores, bags=[[0]], groups=groups).estimate == near(1 / 3)  # row 1 is not outside
    with pytest.raises(ValueError, match="group for each"):
        stats.bbc_cv(scores, groups=["a"])


def test_a_bag_that_leaves_nothing_outside_is_skipped() -> None:
    assert math.isnan(stats.bbc_cv(C, bags=[list(range(8))]).estimate)
    assert stats.bbc_cv(C, bags=[*BAGS, list(range(8))]).estimate == near(0.5)


def test_bbc_of_a_metric_equals_bbc_of_scores_for_accuracy() -> None:
    rng = np.random.default_rng(5)
    targets = rng.integers(0, 3, size=60)
    predictions = rng.dirichlet(np.ones(3), size=(4, 60))
    right = (predictions.argmax(axis=2) == targets).T.astype(float)
    accuracy = plugins.find("metrics", "accuracy").score
    expected, found = (
        stats.bbc_cv(right, bags=40),
        stats.bbc_cv_metric(predictions, targets, accuracy, bags=40),
    )
    assert found.estimate == near(expected.estimate)
    assert (found.low, found.high) == (near(expected.low), near(expected.high))
    assert (found.raw_best, found.chosen) == (near(expected.raw_best), expected.chosen)


def test_bbc_of_a_loss_chooses_the_lowest() -> None:
    targets = np.arange(20.0)
    predictions = [targets + 3, targets + 1, targets + 2]
    rmse = plugins.find("metrics", "rmse").score
    result = stats.bbc_cv_metric(predictions, targets, rmse, higher_is_better=False, bags=20)
    assert (result.chosen, result.raw_best, result.estimate) == (1, near(1.0), near(1.0))


def test_bbc_never_chooses_a_trial_that_is_undefined() -> None:
    rising, constant = np.arange(20.0), np.zeros(20)
    pearson = plugins.find("metrics", "pearson").score
    assert stats.bbc_cv_metric([constant, rising], rising, pearson, bags=20).chosen == 1
    none = stats.bbc_cv_metric([constant], rising, pearson, bags=5)
    assert (none.chosen, math.isnan(none.estimate), math.isnan(none.raw_best)) == (-1, True, True)
    with pytest.raises(ValueError, match="every target"):
        stats.bbc_cv_metric([constant], rising[:3], pearson)


def test_scores_that_are_no_table_are_refused() -> None:
    with pytest.raises(ValueError, match="examples, trials"):
        stats.bbc_cv([1.0, 2.0])


def test_no_ranking_depends_on_the_names_or_the_order_of_methods() -> None:
    order = [2, 0, 3, 1]
    first, second = stats.friedman(X), stats.friedman(X[::-1, order])
    assert second.chi2 == near(first.chi2)
    assert list(second.mean_ranks) == [near(first.mean_ranks[i]) for i in order]


def test_a_bootstrap_difference_is_paired_and_signed() -> None:
    rng = np.random.default_rng(6)
    targets = rng.integers(0, 2, size=300)
    flipped = np.where(np.arange(300) < 30, 1 - targets, targets)
    accuracy = lambda predictions, truth, weights: float(weights @ (predictions == truth) / weights.sum())  # noqa: E731
    found = stats.bootstrap_difference(targets, flipped, targets, accuracy)
    assert found.difference == near(-0.1)
    assert (found.low, found.high) == (pytest.approx(-0.134, abs=0.01), pytest.approx(-0.066, abs=0.01))
    assert found.p == near(2 / 501)  # of 500 bags none says otherwise
    back = stats.bootstrap_difference(flipped, targets, targets, accuracy)
    assert (back.difference, back.low, back.high) == (-found.difference, -found.high, -found.low)
    same = stats.bootstrap_difference(flipped, flipped, targets, accuracy)
    assert (same.difference, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_a_bootstrap_difference_that_is_nowhere_defined_says_nothing() -> None:
    found = stats.bootstrap_difference(np.zeros(5), np.ones(5), np.zeros(5), lambda *_: math.nan, bags=10)
    assert (math.isnan(found.difference), math.isnan(found.low), found.p) == (True, True, 1.0)
