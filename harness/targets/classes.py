"""One label out of a declared set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import DataError
from harness.examples import Target

if TYPE_CHECKING:
    import torch

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


def check_training(targets: np.ndarray, labels: tuple[str, ...], *, folds: int) -> None:
    """Raise `DataError` if a class has no example in a training part."""
    absent = [label for index, label in enumerate(labels) if not (targets == index).any()]
    if absent:
        named = ", ".join(f"'{label}'" for label in absent[:5])
        raise DataError(
            f"the training part of a fold has no example of {named}: give these classes more examples or groups, "
            f"drop them, or use fewer than {folds} folds"
        )


def head_config(labels: tuple[str, ...]) -> dict[str, object]:
    """Return the entries of a model's configuration that give its head one output a label."""
    return {
        "num_labels": len(labels),
        "id2label": dict(enumerate(labels)),
        "label2id": {label: index for index, label in enumerate(labels)},
        "problem_type": "single_label_classification",
    }


def loss(logits: torch.Tensor, targets: torch.Tensor, *, smoothing: float) -> torch.Tensor:
    """Return the mean cross-entropy of (rows, labels) float logits against (rows,) int64 targets."""
    from torch.nn.functional import cross_entropy

    return cross_entropy(logits.float(), targets, label_smoothing=smoothing)


def predict(logits: np.ndarray) -> np.ndarray:
    """Return probabilities, (rows, labels) float64, from logits."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    probabilities: np.ndarray = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities


def read_values(predictions: np.ndarray, labels: tuple[str, ...]) -> tuple[Target, ...]:
    """Return the most probable label of each row."""
    return tuple(labels[index] for index in predictions.argmax(axis=1))
