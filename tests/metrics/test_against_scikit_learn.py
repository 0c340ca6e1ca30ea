"""scikit-learn and scipy agree with every metric, weights and absent classes included."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as oracle

from harness import plugins

Score = Callable[[np.ndarray, np.ndarray, np.ndarray], float]


def draw(seed: int, classes: int, rows: int = 80) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    predictions = rng.dirichlet(np.ones(classes), size=rows).round(2) + 1e-9
    predictions /= predictions.sum(axis=1, keepdims=True)
    return predictions, rng.integers(0, classes, size=rows), rng.random(rows)


def macro_f1(predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
    labels = np.arange(predictions.shape[1])
    decided = predictions.argmax(axis=1)
    return float(
        oracle.f1_score(
            targets, decided, labels=labels, average="macro", sample_weight=weights, zero_division=0
        )
    )


def log_loss(predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
    labels = np.arange(predictions.shape[1])
    return float(oracle.log_loss(targets, predictions, labels=labels, sample_weight=weights))


def auc(predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
    if predictions.shape[1] == 2:
        return float(oracle.roc_auc_score(targets, predictions[:, 1], sample_weight=weights))
    return float(
        oracle.roc_auc_score(targets, predictions, multi_class="ovr", average="macro", sample_weight=weights)
    )


def decided_by(score: Callable[..., float]) -> Score:
    return lambda predictions, targets, weights: float(
        score(targets, predictions.argmax(axis=1), sample_weight=weights)
    )


CLASSES: dict[str, Score] = {
    "accuracy": decided_by(oracle.accuracy_score),
    "balanced-accuracy": decided_by(oracle.balanced_accuracy_score),
    "macro-f1": macro_f1,
    "mcc": decided_by(oracle.matthews_corrcoef),
    "log-loss": log_loss,
    "auc": auc,
}


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("seed", range(3))
def test_a_metric_of_classes_equals_the_oracle(name: str, classes: int, seed: int) -> None:
    rows = draw(seed, classes)
    assert plugins.find("metrics", name).score(*rows) == pytest.approx(CLASSES[name](*rows), abs=1e-12)


@pytest.mark.parametrize("name", ["accuracy", "macro-f1", "log-loss"])
def test_a_declared_class_may_be_absent_from_the_rows(name: str) -> None:
    predictions, targets, weights = draw(5, 4)
    present = targets != 2
    predictions[:, 2] = 1e-6  # nor is it ever predicted
    rows = (
        predictions[present] / predictions[present].sum(axis=1, keepdims=True),
        targets[present],
        weights[present],
    )
    assert plugins.find("metrics", name).score(*rows) == pytest.approx(CLASSES[name](*rows), abs=1e-12)


def test_balanced_accuracy_leaves_out_a_class_that_no_target_has() -> None:
    predictions = np.eye(3)[[0, 0, 1, 2]]
    score = plugins.find("metrics", "balanced-accuracy").score
    assert score(predictions, np.array([0, 0, 1, 1]), np.ones(4)) == 0.75


def test_macro_f1_counts_a_class_that_never_occurs_as_0() -> None:
    predictions = np.eye(3)[[0, 1]]
    assert plugins.find("metrics", "macro-f1").score(
        predictions, np.array([0, 1]), np.ones(2)
    ) == pytest.approx(2 / 3)


@pytest.mark.parametrize("targets", [[0, 0, 0, 0], [0, 1, 0, 1]], ids=["one class", "two of three"])
def test_auc_stays_undefined_where_a_class_has_no_row(targets: list[int]) -> None:
    predictions = draw(1, 3, rows=4)[0]
    assert math.isnan(plugins.find("metrics", "auc").score(predictions, np.array(targets), np.ones(4)))


def test_auc_is_undefined_where_only_rows_of_weight_0_have_a_class() -> None:
    predictions, targets = draw(1, 2, rows=4)[0], np.array([0, 0, 0, 1])
    assert math.isnan(plugins.find("metrics", "auc").score(predictions, targets, np.array([1, 1, 1, 0])))


def test_mcc_of_a_constant_decision_is_0_and_of_one_class_undefined() -> None:
    score = plugins.find("metrics", "mcc").score
    always = np.eye(2)[[0, 0, 0, 0]]
    assert score(always, np.array([0, 1, 0, 1]), np.ones(4)) == 0.0
    assert math.isnan(score(np.eye(2)[[0, 1, 0, 1]], np.array([0, 0, 0, 0]), np.ones(4)))


def test_log_loss_of_a_probability_of_0_is_finite_and_of_a_sure_hit_0() -> None:
    score = plugins.find("metrics", "log-loss").score
    sure = np.eye(2)[[0, 1]]
    assert score(sure, np.array([0, 1]), np.ones(2)) == 0.0
    assert score(sure, np.array([1, 0]), np.ones(2)) == pytest.approx(-math.log(np.finfo(float).eps))


@pytest.mark.parametrize("seed", range(4))
def test_metrics_of_values_equal_the_oracles(seed: int) -> None:
    rng = np.random.default_rng(seed)
    predictions, targets = rng.normal(size=50).round(1), rng.normal(size=50).round(1)
    ones = np.ones(50)
    score = {name: plugins.find("metrics", name).score for name in ("pearson", "spearman", "rmse")}
    assert score["pearson"](predictions, targets, ones) == pytest.approx(
        stats.pearsonr(predictions, targets)[0]
    )
    assert score["spearman"](predictions, targets, ones) == pytest.approx(
        stats.spearmanr(predictions, targets)[0]
    )
    weights = rng.random(50)
    assert score["rmse"](predictions, targets, weights) == pytest.approx(
        oracle.root_mean_squared_error(targets, predictions, sample_weight=weights)
    )


@pytest.mark.parametrize("name", ["pearson", "spearman"])
def test_the_correlation_of_a_constant_is_undefined(name: str) -> None:
    score = plugins.find("metrics", name).score
    rising, constant = np.arange(5.0), np.full(5, 0.1)
    assert math.isnan(score(constant, rising, np.ones(5)))
    assert math.isnan(score(rising, constant, np.ones(5)))
    assert math.isnan(score(rising, rising, np.array([0, 0, 1, 0, 0])))


@pytest.mark.parametrize("name", ["pearson", "spearman"])
def test_a_correlation_depends_on_neither_scale_nor_size(name: str) -> None:
    score = plugins.find("metrics", name).score
    rising, noisy = np.arange(5.0), np.array([1.0, 0, 2, 5, 3])
    plain = score(rising, noisy, np.ones(5))
    assert score(rising * 1e200, noisy * 1e-200 + 0, np.ones(5)) == pytest.approx(plain)
    assert score(rising, rising * 3 + 1, np.ones(5)) == pytest.approx(1.0)


def test_rmse_of_huge_errors_does_not_overflow() -> None:
    score = plugins.find("metrics", "rmse").score
    assert score(np.array([3e200, 4e200]), np.zeros(2), np.array([1, 1])) == pytest.approx(
        math.sqrt(12.5) * 1e200
    )
