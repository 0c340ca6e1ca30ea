"""One number an example."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import DataError
from harness.examples import Target

if TYPE_CHECKING:
    import torch
    from sklearn.pipeline import Pipeline

STRATIFIED = False


def declare_labels(targets: Sequence[Target]) -> tuple[str, ...]:
    """Return no labels; raises `DataError` naming targets that are not finite numbers, or if all are equal."""
    bad = [(row, target) for row, target in enumerate(targets, start=1) if _number(target) is None]
    if bad:
        shown = ", ".join(f"'{target}' (example {row})" for row, target in bad[:10])
        raise DataError(f"{len(bad)} labels are not finite numbers: {shown}")
    if len({_number(target) for target in targets}) == 1:
        raise DataError(
            f"all {len(targets)} examples have the value {targets[0]}: there is nothing to predict"
        )
    return ()


def encode(targets: Sequence[Target], labels: tuple[str, ...]) -> np.ndarray:
    """Return the targets, (rows,) float64."""
    assert not labels
    return np.array([float(target) for target in targets], dtype=np.float64)


def check_training(targets: np.ndarray, labels: tuple[str, ...], *, folds: int | None) -> None:
    """Raise `DataError` if a training part holds one value alone; `folds` is None where fewer would not help."""
    if np.ptp(targets) == 0:
        raise DataError(
            f"a training part holds one value alone ({targets[0]:g}): "
            + (f"use fewer than {folds} folds" if folds else "give it examples of other values")
        )


def head_config(labels: tuple[str, ...]) -> dict[str, object]:
    """Return the entries of a model's configuration that give its head one output."""
    assert not labels
    return {"num_labels": 1, "problem_type": "regression"}


def loss(logits: torch.Tensor, targets: torch.Tensor, *, smoothing: float) -> torch.Tensor:
    """Return the mean squared error of (rows, 1) float logits; smoothing has no meaning for numbers."""
    from torch.nn.functional import mse_loss

    return mse_loss(logits.float()[:, 0], targets.float())


def predict(logits: np.ndarray) -> np.ndarray:
    """Return the predicted numbers, (rows,) float64."""
    return logits[:, 0].astype(np.float64)


def read_values(predictions: np.ndarray, labels: tuple[str, ...]) -> tuple[Target, ...]:
    """Return the predicted numbers as they are."""
    return tuple(float(value) for value in predictions)


def read_probabilities(predictions: np.ndarray) -> np.ndarray | None:
    """Return None: a number says all of a prediction."""


def spell(targets: np.ndarray, labels: tuple[str, ...]) -> tuple[Target, ...]:
    """Return the targets as plain numbers: a table may have written 1.5 as a word."""
    assert not labels
    return tuple(map(float, targets.tolist()))


def read_pipeline(answers: Sequence[Mapping[str, Any]], labels: tuple[str, ...]) -> np.ndarray:
    """Return the number that a transformers pipeline says of one example, (1,) float64."""
    assert not labels
    return np.array([answer["score"] for answer in answers])


def guess(targets: np.ndarray, labels: tuple[str, ...]) -> np.ndarray:
    """Return the prediction that knows the training targets alone: their mean, ()."""
    assert not labels
    return np.asarray(targets.mean())


def make_linear(strength: float) -> Any:
    """Return an unfitted ridge regression; `strength` is that of its regularization."""
    from sklearn.linear_model import Ridge

    return Ridge(alpha=strength)


def predict_linear(model: Pipeline, features: np.ndarray, labels: tuple[str, ...]) -> np.ndarray:
    """Return the model's numbers, (rows,)."""
    assert not labels
    return np.asarray(model.predict(features))


def rate(predicted: np.ndarray, targets: np.ndarray) -> float:
    """Return how good a linear model's own predictions are, higher being better: the negative squared error."""
    return -float(np.mean((predicted - targets) ** 2))


def fit_generic(
    features: np.ndarray, targets: np.ndarray, labels: tuple[str, ...]
) -> Callable[[np.ndarray], np.ndarray]:
    """Return a ridge regression of fixed strength on standardized features."""
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    assert not labels
    ridge = make_pipeline(StandardScaler(), Ridge(alpha=1.0)).fit(features, targets)
    return lambda asked: np.asarray(ridge.predict(asked))


def _number(target: Target) -> float | None:
    """Return the target as a number, or None if it is none."""
    try:
        value = float(target)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
