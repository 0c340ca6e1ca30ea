"""Baselines: what any fine-tuning has to beat, on the same folds."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from harness.learn.bench import Bench
from harness.learn.features import compute_features
from harness.learn.folds import split_folds
from harness.learn.seeds import Purpose
from harness.modalities import find_modality

STRENGTHS = (
    0.01,
    0.1,
    1.0,
    10.0,
    100.0,
)  # what a target's linear model takes: C of a logistic, alpha of a ridge
INNER_FOLDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The rows of one fold, and its number among all folds of the run."""

    train: np.ndarray
    valid: np.ndarray
    repeat: int
    fold: int


Predict = Callable[[np.ndarray], np.ndarray]
"""Rows to predictions: (rows, labels) probabilities, or (rows,) numbers."""


def fit_majority(bench: Bench, split: Split) -> Predict:
    """Predict what the training targets alone say: their class shares, of which the largest wins, or their mean."""
    answer = bench.target.guess(bench.targets[split.train], bench.labels)
    return lambda rows: np.repeat(answer[None], len(rows), axis=0)


def fit_classical(bench: Bench, split: Split) -> Predict:
    """Fit a linear model on TF-IDF, pixels or log-mel statistics; nothing pretrained takes part."""
    features, unfitted = find_modality(bench.modality).describe_classical(bench.examples.inputs)
    return _fit_linear(bench, split, features, unfitted)


def fit_probe(bench: Bench, split: Split) -> Predict:
    """Fit a linear model on the frozen backbone's pooled features."""
    return _fit_linear(bench, split, compute_features(bench), make_pipeline(StandardScaler()))


def fit_generic(bench: Bench, split: Split) -> Predict:
    """Predict by the nearest class mean of the untouched backbone's features, or a ridge of fixed strength."""
    features = compute_features(bench).astype(np.float64)
    predict = bench.target.fit_generic(features[split.train], bench.targets[split.train], bench.labels)
    return lambda rows: predict(features[rows])


FITS: Mapping[str, Callable[[Bench, Split], Predict]] = {
    "majority": fit_majority,
    "classical": fit_classical,
    "generic": fit_generic,
    "probe": fit_probe,
}


def _fit_linear(bench: Bench, split: Split, features: np.ndarray, unfitted: Pipeline | None) -> Predict:
    """Fit the target's linear model, its strength chosen by folds inside the training part."""
    target, train = bench.target, split.train
    inner = split_inside(bench, split, folds=INNER_FOLDS, purpose=Purpose.STRENGTH)
    models = {strength: _chain(unfitted, target.make_linear(strength)) for strength in STRENGTHS}
    scores = {
        strength: _score_inside(bench, train, inner, features, model) for strength, model in models.items()
    }
    known = {strength: score for strength, score in scores.items() if score is not None}
    chosen = models[max(known, key=lambda strength: known[strength]) if known else 1.0]
    _fit(chosen, features[train], bench.targets[train])
    return lambda rows: target.predict_linear(chosen, features[rows], bench.labels)


def _chain(unfitted: Pipeline | None, linear: BaseEstimator) -> Pipeline:
    return make_pipeline(*([clone(unfitted)] if unfitted is not None else []), linear)


def _score_inside(
    bench: Bench, train: np.ndarray, inner: np.ndarray, features: np.ndarray, model: BaseEstimator
) -> float | None:
    """Return the mean of the target's own rating over the inner folds, None where none can be fitted.

    Where classes go with groups, the rest of the training part can be of one class: such a fold says nothing.
    """
    targets, scores = bench.targets, []
    for fold in range(int(inner.max()) + 1):
        rows, held_out = train[inner != fold], train[inner == fold]
        if len(np.unique(targets[rows])) < 2:
            continue
        _fit(model, features[rows], targets[rows])
        scores.append(bench.target.rate(model.predict(features[held_out]), targets[held_out]))
    return float(np.mean(scores)) if scores else None


def split_inside(bench: Bench, split: Split, *, folds: int, purpose: Purpose) -> np.ndarray:
    """Return an inner fold for each training row, (training rows,) int64; of few groups there are as many folds."""
    train = split.train
    _, groups = np.unique(bench.groups[train], return_inverse=True)
    return split_folds(
        [bench.examples.ids[row] for row in train],
        groups,
        bench.targets[train] if bench.target.STRATIFIED else None,
        folds=min(folds, int(groups.max()) + 1),
        seed=bench.derive_seed(purpose, split.repeat, split.fold),
    )


def _fit(model: BaseEstimator, features: np.ndarray, targets: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ConvergenceWarning
        )  # a baseline that stops after 1000 steps is still one
        model.fit(features, targets)
