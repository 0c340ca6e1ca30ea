"""Baselines: what any fine-tuning has to beat, on the same folds."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from harness.learn.bench import Bench
from harness.learn.features import compute_features
from harness.learn.folds import split_folds
from harness.learn.seeds import Purpose
from harness.modalities import find_modality

STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)  # of regularization: C of a logistic, alpha of a ridge regression
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
    """Predict the class shares of the training part, so that its most frequent class wins, or its mean."""
    known = bench.targets[split.train]
    answer = (
        known.mean() if not bench.labels else np.bincount(known, minlength=len(bench.labels)) / len(known)
    )
    return lambda rows: np.repeat(np.asarray(answer)[None], len(rows), axis=0)


def fit_classical(bench: Bench, split: Split) -> Predict:
    """Fit a linear model on TF-IDF, pixels or log-mel statistics; nothing pretrained takes part."""
    features, unfitted = find_modality(bench.modality).describe_classical(bench.examples.inputs)
    return _fit_linear(bench, split, features, unfitted)


def fit_probe(bench: Bench, split: Split) -> Predict:
    """Fit a linear model on the frozen backbone's pooled features."""
    return _fit_linear(bench, split, compute_features(bench), make_pipeline(StandardScaler()))


def fit_generic(bench: Bench, split: Split) -> Predict:
    """Predict by the nearest class mean of the untouched backbone's features, or a ridge of fixed strength.

    The probability of a class is the softmax of negative squared distances to the means.
    """
    features = compute_features(bench).astype(np.float64)
    known = bench.targets[split.train]
    if not bench.labels:
        ridge = make_pipeline(StandardScaler(), Ridge(alpha=1.0)).fit(features[split.train], known)
        return lambda rows: np.asarray(ridge.predict(features[rows]))
    means = np.stack(
        [features[split.train][known == label].mean(axis=0) for label in range(len(bench.labels))]
    )

    def predict(rows: np.ndarray) -> np.ndarray:
        asked = features[rows]
        distances = np.stack([((asked - mean) ** 2).sum(axis=1) for mean in means], axis=1)  # (rows, labels)
        probabilities: np.ndarray = bench.target.predict(-distances)
        return probabilities

    return predict


FITS: Mapping[str, Callable[[Bench, Split], Predict]] = {
    "majority": fit_majority,
    "classical": fit_classical,
    "generic": fit_generic,
    "probe": fit_probe,
}


def _fit_linear(bench: Bench, split: Split, features: np.ndarray, unfitted: Pipeline | None) -> Predict:
    """Fit a logistic or ridge regression, its strength chosen by folds inside the training part."""
    inner = split_inside(bench, split, folds=INNER_FOLDS, purpose=Purpose.STRENGTH)
    scores = [
        _score_inside(bench, split.train, inner, features, _model(bench, unfitted, strength))
        for strength in STRENGTHS
    ]
    chosen = _model(bench, unfitted, STRENGTHS[int(np.argmax(scores))] if any(scores) else 1.0)
    _fit(chosen, features[split.train], bench.targets[split.train])
    return lambda rows: _predict(bench, chosen, features[rows])


def _model(bench: Bench, unfitted: Pipeline | None, strength: float) -> Pipeline:
    linear = LogisticRegression(C=strength, max_iter=1000) if bench.labels else Ridge(alpha=strength)
    return make_pipeline(*([clone(unfitted)] if unfitted is not None else []), linear)


def _score_inside(
    bench: Bench, train: np.ndarray, inner: np.ndarray, features: np.ndarray, model: BaseEstimator
) -> float:
    """Return the mean accuracy, or negative squared error, over the inner folds; 0 where none can be fitted.

    Where classes go with groups, the rest of the training part can be of one class: such a fold says nothing.
    """
    targets, scores = bench.targets, []
    for fold in range(int(inner.max()) + 1):
        rows, held_out = train[inner != fold], train[inner == fold]
        if len(np.unique(targets[rows])) < 2:
            continue
        _fit(model, features[rows], targets[rows])
        predicted = model.predict(features[held_out])
        right = predicted == targets[held_out] if bench.labels else -((predicted - targets[held_out]) ** 2)
        scores.append(float(np.mean(right)))
    return float(np.mean(scores)) if scores else 0.0


def split_inside(bench: Bench, split: Split, *, folds: int, purpose: Purpose) -> np.ndarray:
    """Return an inner fold for each training row, (training rows,) int64; of few groups there are as many folds."""
    train = split.train
    _, groups = np.unique(bench.groups[train], return_inverse=True)
    return split_folds(
        [bench.examples.ids[row] for row in train],
        groups,
        bench.targets[train] if bench.labels else None,
        folds=min(folds, int(groups.max()) + 1),
        seed=bench.derive_seed(purpose, split.repeat, split.fold),
    )


def _fit(model: BaseEstimator, features: np.ndarray, targets: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ConvergenceWarning
        )  # a baseline that stops after 1000 steps is still one
        model.fit(features, targets)


def _predict(bench: Bench, model: Pipeline, features: np.ndarray) -> np.ndarray:
    """Return predictions over all declared labels, those absent from the training part with probability 0."""
    if not bench.labels:
        return np.asarray(model.predict(features))
    probabilities = np.zeros((len(features), len(bench.labels)))
    probabilities[:, model.classes_] = model.predict_proba(features)
    return probabilities
