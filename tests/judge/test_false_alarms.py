"""Under a null whose law is known each test rejects as often as it says, and a wrong formula would not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.judge import stats

SIMULATIONS = 4000
FOLDS, REPEATS = 5, 10
# Two and a half standard errors of so many simulations about 5 %.
LOW, HIGH = 0.05 - 0.0087, 0.05 + 0.0087


def draw_folds(rng: np.random.Generator) -> np.ndarray:
    """Return differences over repeated folds that share training examples: each pair is correlated by 1/K."""
    rho = 1 / FOLDS
    return rng.normal(size=FOLDS * REPEATS) * math.sqrt(1 - rho) + rng.normal() * math.sqrt(rho)


def share_rejected(test_over_train: float) -> float:
    rng = np.random.default_rng(1)
    tests = (
        stats.corrected_resampled_t(draw_folds(rng), test_over_train=test_over_train)
        for _ in range(SIMULATIONS)
    )
    return sum(test.p < 0.05 for test in tests) / SIMULATIONS


def test_the_corrected_t_rejects_one_null_in_twenty() -> None:
    assert LOW < share_rejected(1 / (FOLDS - 1)) < HIGH


def test_a_t_with_test_over_all_instead_of_test_over_train_would_be_noticed() -> None:
    """A published helper does so: 7.6 % by the law of t, for its error is 1.11 times too small."""
    assert share_rejected(1 / FOLDS) == pytest.approx(0.076, abs=0.0105)
    assert share_rejected(0.0) > 0.5


@pytest.mark.parametrize(("rho", "right"), [(1 / FOLDS, True), (1 / (FOLDS + 1), False)])
def test_the_correlated_bayesian_t_is_sure_of_a_sign_that_is_wrong_as_often_as_it_says(
    rho: float, right: bool
) -> None:
    rng = np.random.default_rng(2)
    sure = 0
    for _ in range(SIMULATIONS):
        posterior = stats.correlated_bayesian_t(draw_folds(rng), rho=rho, rope=0.0)
        sure += min(posterior.worse, posterior.better) < 0.025
    assert (LOW < sure / SIMULATIONS < HIGH) is right


def test_the_5x2_f_keeps_its_level_and_half_of_it_would_not() -> None:
    """Alpaydin's F is conservative for independent folds: 10 and 5 degrees, its parts being correlated."""
    rng = np.random.default_rng(3)
    found = [stats.five_by_two_f(rng.normal(size=(5, 2))).p for _ in range(SIMULATIONS)]
    assert 0.005 < np.mean(np.array(found) < 0.05) < HIGH
    assert np.mean(np.array(found) < 0.5) == pytest.approx(0.5, abs=0.15)


def test_mcnemar_and_the_exact_wilcoxon_never_exceed_their_level_and_come_near_it() -> None:
    rng = np.random.default_rng(4)
    counted = [stats.mcnemar_exact(int(b), 60 - int(b)) for b in rng.binomial(60, 0.5, size=SIMULATIONS)]
    assert np.mean(np.array(counted) < 0.05) == pytest.approx(0.0273, abs=0.007)  # P(b <= 21 or b >= 39)
    signed = [stats.wilcoxon_exact(rng.normal(size=8), np.zeros(8)).p for _ in range(SIMULATIONS)]
    assert np.mean(np.array(signed) < 0.05) == pytest.approx(10 / 256, abs=0.008)  # sums of at most 3


def test_a_paired_bootstrap_rejects_about_one_null_in_twenty() -> None:
    rng = np.random.default_rng(5)
    truth = np.zeros(150)

    def share_right(right: np.ndarray, truth: np.ndarray, counts: np.ndarray) -> float:
        return float(counts @ right / counts.sum())

    rejected = 0
    for _ in range(400):
        first, second = (rng.random((2, 150)) < 0.8).astype(float)
        rejected += stats.bootstrap_difference(first, second, truth, share_right, bags=200).p < 0.05
    assert 0.02 < rejected / 400 < 0.08


def test_holm_over_true_nulls_errs_in_at_most_one_family_of_twenty() -> None:
    rng = np.random.default_rng(6)
    p = rng.random((SIMULATIONS, 6))
    assert LOW < np.mean([stats.holm(row).min() < 0.05 for row in p]) < HIGH
    assert (p.min(axis=1) < 0.05).mean() > 0.2  # what it corrects
