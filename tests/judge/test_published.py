"""The formulas give the figures that papers and textbooks have printed for their own examples."""

from __future__ import annotations

import numpy as np
import pytest

from harness.judge import stats
from harness.judge.ranking_test import examine_ranks

# Demšar, JMLR 7 (2006), table 6: AUC of C4.5, C4.5+m, C4.5+cf and C4.5+m+cf on 14 data sets.
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],  # printed as a tie, and ranked 2 and 3 there
        [0.957, 0.978, 0.946, 0.970],
    ]
)
# Hollander & Wolfe (1973), p. 140: seconds of 22 players by three ways of rounding first base.
ROUNDING = np.array(
    [
        *([5.40, 5.50, 5.55], [5.85, 5.70, 5.75], [5.20, 5.60, 5.50], [5.55, 5.50, 5.40]),
        *([5.90, 5.85, 5.70], [5.45, 5.55, 5.60], [5.40, 5.40, 5.35], [5.45, 5.50, 5.35]),
        *([5.25, 5.15, 5.00], [5.85, 5.80, 5.70], [5.25, 5.20, 5.10], [5.65, 5.55, 5.45]),
        *([5.60, 5.35, 5.45], [5.05, 5.00, 4.95], [5.50, 5.50, 5.40], [5.45, 5.55, 5.50]),
        *([5.55, 5.55, 5.35], [5.45, 5.50, 5.55], [5.50, 5.45, 5.25], [5.65, 5.60, 5.40]),
        *([5.70, 5.65, 5.55], [6.30, 6.30, 6.25]),
    ]
)


def test_friedman_on_demsars_data() -> None:
    """He prints chi² 9.28 and F 3.69 without the correction for ties, which only raises them."""
    test = stats.friedman(DEMSAR)
    assert test.mean_ranks == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    plain = 12 * 14 / (4 * 5) * (float((test.mean_ranks**2).sum()) - 4 * 25 / 4)
    assert plain == pytest.approx(9.28, abs=5e-3)
    assert 13 * plain / (14 * 3 - plain) == pytest.approx(3.69, abs=5e-3)
    # One data set ties all four (sum of t³ - t: 60), three tie two (6 each): 1 - 78 / (14 · 4 · 15).
    assert test.chi2 == pytest.approx(plain / (1 - 78 / 840), rel=1e-12)
    assert test.f == pytest.approx(13 * test.chi2 / (42 - test.chi2), rel=1e-12)


def test_nemenyi_on_demsars_data_finds_no_pair_as_he_says() -> None:
    test = examine_ranks(DEMSAR, ["C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf"], words=("data set", "method"))
    assert test.cd == pytest.approx(1.25, abs=5e-3)
    assert stats.nemenyi_critical_difference(4, 14, alpha=0.10) == pytest.approx(1.12, abs=5e-3)
    assert test.differ
    assert test.methods == ("C4.5+m+cf", "C4.5+m", "C4.5+cf", "C4.5")
    assert test.cliques == (test.methods,)
    assert min(pair.nemenyi_p for pair in test.pairs) > 0.05
    assert test.sentences[0].endswith("mean ranks 1.25 or more apart: no pair by itself.")


@pytest.mark.parametrize(
    ("alpha", "published"),
    [
        (0.05, [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]),
        (0.10, [1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920]),
    ],
)
def test_the_critical_values_are_those_of_demsars_table_5(alpha: float, published: list[float]) -> None:
    for methods, q in enumerate(published, start=2):
        unit = (methods * (methods + 1) / 6) ** 0.5
        assert stats.nemenyi_critical_difference(methods, 1, alpha=alpha) / unit == pytest.approx(
            q, abs=1.1e-3
        )


def test_friedman_with_ties_on_rounding_first_base() -> None:
    test = stats.friedman(-ROUNDING)
    assert (test.chi2, test.p) == (pytest.approx(11.143, abs=5e-4), pytest.approx(0.003805, abs=5e-7))


def test_wilcoxon_on_hollander_and_wolfes_depression_scale() -> None:
    before = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
    after = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
    test = stats.wilcoxon_exact(before, after)
    assert (test.w, test.p) == (45 - 40, pytest.approx(2 * 0.01953, abs=1e-5))


def test_an_uncorrected_t_on_students_sleep_data() -> None:
    test = stats.corrected_resampled_t([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4], test_over_train=0)
    assert (test.t, test.df, test.p) == (
        pytest.approx(4.0621, abs=5e-5),
        9,
        pytest.approx(0.002833, abs=5e-7),
    )
    assert (test.low, test.high) == (pytest.approx(0.7001, abs=5e-5), pytest.approx(2.4599, abs=5e-5))


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval_on_newcombes_examples(successes: int, n: int, low: float, high: float) -> None:
    """Newcombe, Statistics in Medicine 17 (1998), table I, method 3."""
    interval = stats.wilson(successes, n)
    assert (interval.low, interval.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_mcnemar_on_agrestis_approval_ratings() -> None:
    """Agresti, "Categorical data analysis" (1990), p. 350: 86 changed one way, 150 the other."""
    assert stats.mcnemar_exact(86, 150) == pytest.approx(3.716e-05, rel=1e-3)


def test_holms_example_by_hand() -> None:
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_beliefs_follow_from_counts_where_no_data_set_is_within_the_rope() -> None:
    # Two shares with 1 + 3 data sets: the sign's posterior is Beta(3, 1) of better against no difference.
    found = stats.bayesian_sign([0.1, 0.2, 0.3], rope=0.01, draws=200_000)
    assert found.worse == 0
    assert found.better == pytest.approx(1 - 0.5**3, abs=0.004)  # P(Beta(3, 1) > 1/2)
    assert found.better + found.equivalent == pytest.approx(1)


def test_beliefs_turn_round_with_the_sign() -> None:
    values = [0.1, -0.02, 0.3, 0.05, 0.0]
    for believe in (stats.bayesian_sign, stats.bayesian_signed_rank):
        found, turned = believe(values, rope=0.01), believe([-value for value in values], rope=0.01)
        assert found.better == pytest.approx(turned.worse, abs=0.01)
        assert found.equivalent == pytest.approx(turned.equivalent, abs=0.01)


def test_beliefs_need_finite_differences() -> None:
    with pytest.raises(ValueError, match="finite difference"):
        stats.bayesian_sign([], rope=0.01)
    with pytest.raises(ValueError, match="rope"):
        stats.bayesian_signed_rank([0.1], rope=-1)
