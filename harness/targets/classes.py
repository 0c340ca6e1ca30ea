"""One label out of a declared set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import DataError
from harness.examples import Target

if TYPE_CHECKING:
    import torch
    from sklearn.pipeline import Pipeline

STRATIFIED = True  # class shares are kept alike in all folds


def declare_labels(targets: Sequence[Target]) -> tuple[str, ...]:
    """Return the label set, sorted; raises `DataError` where there is nothing to tell apart."""
    labels = tuple(sorted({str(target) for target in targets}))
    if len(labels) < 2:
        raise DataError(
            f"all {len(targets)} examples have the label '{labels[0]}': a classifier needs two classes"
        )
    return labels


def encode(targets: Sequence[Target], labels: tuple[str, ...]) -> np.ndarray:
    """Return each target's index in `labels`, (rows,) int64."""
    place = {label: index for index, label in enumerate(labels)}
    return np.array([place[str(target)] for target in targets], dtype=np.int64)


def check_training(targets: np.ndarray, labels: tuple[str, ...], *, folds: int | None) -> None:
    """Raise `DataError` if a class has no example in a training part; `folds` is None where fewer would not help."""
    absent = [label for index, label in enumerate(labels) if not (targets == index).any()]
    if absent:
        named = ", ".join(f"'{label}'" for label in absent[:5])
        raise DataError(
            f"the training part of a fold has no example of {named}: give these classes more examples or groups, "
            + (f"drop them, or use fewer than {folds} folds" if folds else "or drop them")
        )


def head_config(labels: tuple[str, ...]) -> dict[str, object]:
    """Return the entries of a model's configuration that give its head one output a label."""
    return {
        "num_labels": len(labels),
        "id2label": dict(enumerate(labels)),
        "label2id": {label: index for index, label in enumerate(labels)},
        "problem_type": "single_label_classification",
    }


def loss(
    logits: torch.Tensor, targets: torch.Tensor, *, smoothing: float, class_weights: np.ndarray | None = None
) -> torch.Tensor:
    """Return the mean cross-entropy of (rows, labels) float logits against (rows,) int64 targets.

    With `class_weights`, (labels,), an example counts what its class does, as a whole: torch's own `weight` would weigh
    each class's share of the smoothed targets as well, and move them towards rare classes. The sum is divided by the
    rows and not by their weights, under which a batch of one class would forget that it is a frequent one.
    """
    import torch
    from torch.nn.functional import cross_entropy

    if class_weights is None:
        return cross_entropy(logits.float(), targets, label_smoothing=smoothing)
    losses = cross_entropy(logits.float(), targets, label_smoothing=smoothing, reduction="none")  # (rows,)
    weights = torch.from_numpy(class_weights).to(losses)
    return (weights[targets] * losses).mean()


def balance(targets: np.ndarray, labels: tuple[str, ...]) -> np.ndarray:
    """Return what makes classes count alike, (labels,) float64: n / (classes x count), 0 for one that is absent.

    Over these targets an example counts 1 on average, as under scikit-learn's `balanced`.
    """
    counts = np.bincount(targets, minlength=len(labels))
    present = counts > 0
    weights: np.ndarray = np.where(present, len(targets) / (present.sum() * np.maximum(counts, 1)), 0.0)
    return weights


def predict(logits: np.ndarray) -> np.ndarray:
    """Return probabilities, (rows, labels) float64, from logits."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    probabilities: np.ndarray = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities


def read_values(predictions: np.ndarray, labels: tuple[str, ...]) -> tuple[Target, ...]:
    """Return the most probable label of each row."""
    return tuple(labels[index] for index in predictions.argmax(axis=1))


def read_probabilities(predictions: np.ndarray) -> np.ndarray | None:
    """Return what a table of predictions keeps besides their values, (rows, labels) float32."""
    return predictions.astype(np.float32)


def spell(targets: np.ndarray, labels: tuple[str, ...]) -> tuple[Target, ...]:
    """Return encoded targets as the predictions' values are spelled."""
    return tuple(labels[index] for index in targets.tolist())


def read_pipeline(answers: Sequence[Mapping[str, Any]], labels: tuple[str, ...]) -> np.ndarray:
    """Return a prediction, (labels,) float64, from what a transformers pipeline says of one example."""
    scores = {answer["label"]: answer["score"] for answer in answers}
    return np.array([scores[label] for label in labels])


def guess(targets: np.ndarray, labels: tuple[str, ...]) -> np.ndarray:
    """Return the prediction that knows the training targets alone: their class shares, (labels,)."""
    shares: np.ndarray = np.bincount(targets, minlength=len(labels)) / len(targets)
    return shares


def make_linear(strength: float) -> Any:
    """Return an unfitted linear model; `strength` is the inverse of its regularization."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=1000)


def predict_linear(model: Pipeline, features: np.ndarray, labels: tuple[str, ...]) -> np.ndarray:
    """Return probabilities over all declared labels, those absent from the training part with probability 0."""
    probabilities = np.zeros((len(features), len(labels)))
    probabilities[:, model.classes_] = model.predict_proba(features)
    return probabilities


def rate(predicted: np.ndarray, targets: np.ndarray) -> float:
    """Return how good a linear model's own predictions are, higher being better: the accuracy."""
    return float(np.mean(predicted == targets))


def fit_generic(
    features: np.ndarray, targets: np.ndarray, labels: tuple[str, ...]
) -> Callable[[np.ndarray], np.ndarray]:
    """Return the nearest class mean: probabilities are the softmax of negative squared distances to the means."""
    means = np.stack([features[targets == label].mean(axis=0) for label in range(len(labels))])

    def predict_nearest(asked: np.ndarray) -> np.ndarray:
        distances = np.stack([((asked - mean) ** 2).sum(axis=1) for mean in means], axis=1)  # (rows, labels)
        return predict(-distances)

    return predict_nearest
