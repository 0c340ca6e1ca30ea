"""Classes: labels, loss, probabilities."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.errors import DataError
from harness.targets import classes

LABELS = ("no", "perhaps", "yes")


def test_labels_are_sorted_words_and_targets_their_places() -> None:
    targets = ("yes", "no", "perhaps", "no")
    assert classes.declare_labels(targets) == LABELS
    assert classes.encode(targets, LABELS).tolist() == [2, 0, 1, 0]


def test_one_label_is_refused() -> None:
    with pytest.raises(DataError, match="all 2 examples have the label 'a': a classifier needs two classes"):
        classes.declare_labels(("a", "a"))


def test_a_class_absent_from_a_training_part_is_named() -> None:
    classes.check_training(np.array([0, 1, 2]), LABELS, folds=4)
    with pytest.raises(DataError, match=r"no example of 'perhaps', 'yes': .* fewer than 4 folds"):
        classes.check_training(np.array([0, 0]), LABELS, folds=4)


def test_the_loss_is_cross_entropy_with_smoothed_targets() -> None:
    logits = torch.tensor([[2.0, 0.5, -1.0], [0.1, 0.2, 0.3]])
    targets = torch.tensor([0, 2])
    logs = torch.log_softmax(logits.double(), dim=1)
    for smoothing in (0.0, 0.3):
        wanted = torch.full((2, 3), smoothing / 3, dtype=torch.float64)
        wanted[[0, 1], targets] += 1 - smoothing
        expected = -(wanted * logs).sum(dim=1).mean().item()
        assert classes.loss(logits, targets, smoothing=smoothing).item() == pytest.approx(expected, rel=1e-6)


def test_classes_count_alike_when_each_weighs_what_scikit_learn_says() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    targets = np.array([0] * 6 + [1] * 3 + [2])
    weights = classes.balance(targets, LABELS)
    np.testing.assert_allclose(weights, [10 / 18, 10 / 9, 10 / 3])
    np.testing.assert_allclose(weights, compute_class_weight("balanced", classes=np.arange(3), y=targets))
    assert weights[targets].sum() == pytest.approx(10)
    np.testing.assert_allclose(classes.balance(np.array([0, 0, 0, 2]), LABELS), [4 / 6, 0, 2])


def test_a_class_weighs_its_examples_whole_smoothing_included() -> None:
    logits = torch.tensor([[2.0, 0.5, -1.0], [0.1, 0.2, 0.3]])
    targets, weights = torch.tensor([0, 2]), np.array([0.5, 1.0, 3.0])
    alone = [classes.loss(logits[[row]], targets[[row]], smoothing=0.3).item() for row in (0, 1)]
    found = classes.loss(logits, targets, smoothing=0.3, class_weights=weights).item()
    assert found == pytest.approx((0.5 * alone[0] + 3.0 * alone[1]) / 2, rel=1e-6)


def test_weights_leave_the_smoothed_target_where_the_loss_is_least() -> None:
    """torch's `cross_entropy(weight=…)` would move it to (.714, .286) with these weights."""
    logits = torch.log(torch.tensor([[0.9, 0.1]])).requires_grad_()
    value = classes.loss(logits, torch.tensor([0]), smoothing=0.2, class_weights=np.array([1.0, 3.6]))
    value.backward()
    assert logits.grad is not None
    assert logits.grad.abs().max().item() == pytest.approx(0, abs=1e-7)


def test_predictions_are_probabilities_also_of_huge_logits() -> None:
    predictions = classes.predict(np.array([[1e4, 0.0, 0.0], [0.0, 0.0, 0.0]], dtype=np.float32))
    np.testing.assert_allclose(predictions, [[1, 0, 0], [1 / 3] * 3])
    assert classes.read_values(predictions, LABELS) == ("no", "no")


def test_the_configuration_names_the_labels() -> None:
    config = classes.head_config(LABELS)
    assert config["id2label"] == {0: "no", 1: "perhaps", 2: "yes"}
    assert config["label2id"] == {"no": 0, "perhaps": 1, "yes": 2}
    assert config["num_labels"] == 3
