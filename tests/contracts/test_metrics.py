"""Every metric, found by being there, keeps the contract."""

from __future__ import annotations

import math
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import plugins

METRICS = plugins.names("metrics")


def draw_rows(
    metric: ModuleType, seed: int, *, rows: int = 24, classes: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    if metric.TARGETS == "values":
        return rng.normal(size=rows).round(1), rng.normal(size=rows).round(1)
    coarse = rng.integers(1, 5, size=(rows, classes)).astype(np.float64)  # few levels: many ties
    return coarse / coarse.sum(axis=1, keepdims=True), rng.integers(0, classes, size=rows)


@pytest.fixture(params=METRICS)
def metric(request: pytest.FixtureRequest) -> ModuleType:
    return plugins.find("metrics", request.param)


def test_its_header_is_complete(metric: ModuleType) -> None:
    assert metric.TARGETS in ("classes", "values")
    assert isinstance(metric.HIGHER_IS_BETTER, bool)
    low, high = metric.BOUNDS
    assert low < high
    assert metric.__doc__


@settings(deadline=None, max_examples=60)
@given(
    name=st.sampled_from(METRICS),
    seed=st.integers(0, 2**32 - 1),
    weights=st.lists(st.integers(0, 4), min_size=24, max_size=24),
)
def test_integer_weights_are_copies_of_rows(name: str, seed: int, weights: list[int]) -> None:
    metric = plugins.find("metrics", name)
    predictions, targets = draw_rows(metric, seed)
    counts = np.array(weights)
    weighted = metric.score(predictions, targets, counts)
    copied = metric.score(
        predictions.repeat(counts, 0), targets.repeat(counts), np.ones(counts.sum(), dtype=int)
    )
    assert weighted == pytest.approx(copied, rel=1e-9, abs=1e-9, nan_ok=True)


@settings(deadline=None, max_examples=40)
@given(name=st.sampled_from(METRICS), seed=st.integers(0, 2**32 - 1), factor=st.floats(1e-3, 1e3))
def test_a_common_factor_of_the_weights_changes_nothing(name: str, seed: int, factor: float) -> None:
    metric = plugins.find("metrics", name)
    predictions, targets = draw_rows(metric, seed)
    weights = np.random.default_rng(seed).random(len(targets))
    plain, scaled = (metric.score(predictions, targets, weights * by) for by in (1.0, factor))
    assert plain == pytest.approx(scaled, rel=1e-9, abs=1e-9, nan_ok=True)


@settings(deadline=None, max_examples=40)
@given(name=st.sampled_from(METRICS), seed=st.integers(0, 2**32 - 1))
def test_the_order_of_rows_changes_nothing_and_the_score_keeps_its_bounds(name: str, seed: int) -> None:
    metric = plugins.find("metrics", name)
    predictions, targets = draw_rows(metric, seed)
    weights = np.random.default_rng(seed).random(len(targets))
    order = np.random.default_rng(seed + 1).permutation(len(targets))
    score = metric.score(predictions, targets, weights)
    assert score == pytest.approx(
        metric.score(predictions[order], targets[order], weights[order]), nan_ok=True
    )
    low, high = metric.BOUNDS
    assert math.isnan(score) or low <= score <= high
    assert type(score) is float


def test_no_row_that_counts_is_undefined(metric: ModuleType) -> None:
    predictions, targets = draw_rows(metric, 0)
    assert math.isnan(metric.score(predictions, targets, np.zeros(len(targets))))
    assert math.isnan(metric.score(predictions[:0], targets[:0], np.zeros(0)))


def test_a_row_predicted_as_nan_makes_the_score_undefined_where_it_counts(metric: ModuleType) -> None:
    predictions, targets = draw_rows(metric, 0)
    weights = np.ones(len(targets))
    clean = metric.score(predictions[1:], targets[1:], weights[1:])
    predictions[0] = math.nan
    assert math.isnan(metric.score(predictions, targets, weights))
    weights[0] = 0
    assert metric.score(predictions, targets, weights) == pytest.approx(clean)


def test_right_predictions_beat_wrong_ones(metric: ModuleType) -> None:
    targets = np.arange(24) % 3
    right, wrong = np.eye(3)[targets], np.eye(3)[(targets + 1) % 3]
    if metric.TARGETS == "values":
        right, wrong, targets = targets + 0.1, -targets + 0.1, targets.astype(float)
    weights = np.ones(24)
    better, worse = metric.score(right, targets, weights), metric.score(wrong, targets, weights)
    assert (better > worse) == metric.HIGHER_IS_BETTER
    assert better != worse


def test_float32_predictions_score_as_float64_ones_do(metric: ModuleType) -> None:
    predictions, targets = draw_rows(metric, 3)
    narrow, weights = predictions.astype(np.float32), np.ones(len(targets))
    expected = metric.score(narrow.astype(np.float64), targets, weights)
    assert metric.score(narrow, targets, weights) == pytest.approx(expected, rel=1e-6)


@settings(deadline=None, max_examples=150)
@given(
    name=st.sampled_from(METRICS),
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(2, 40),
    whole=st.booleans(),
    shift=st.sampled_from([0.0, 1.0, 1e6]),
)
def test_many_bags_at_once_score_as_each_does(
    name: str, seed: int, rows: int, whole: bool, shift: float
) -> None:
    metric = plugins.find("metrics", name)
    predictions, targets = draw_rows(metric, seed, rows=rows)
    if metric.TARGETS == "values":
        predictions = predictions + shift
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 3, size=(12, rows)) * (1.0 if whole else rng.random(rows))
    weights[0], weights[1] = 0, 1
    found = metric.score_bags(predictions, targets, weights)
    exact = np.array([metric.score(predictions, targets, each) for each in weights])
    told = np.isfinite(found)  # what is not is scored again, one by one
    assert found[told] == pytest.approx(exact[told], rel=1e-9, abs=1e-9)
    assert not told[np.isnan(exact)].any()
    if not shift:  # or nothing would be spared
        assert (told == ~np.isnan(exact)).mean() > 0.8
