"""Values: numbers, their loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.errors import DataError
from harness.targets import values


def test_numbers_have_no_labels_and_may_be_written_as_words() -> None:
    assert values.declare_labels(("1.5", 2, "-3e2")) == ()
    assert values.encode(("1.5", 2, "-3e2"), ()).tolist() == [1.5, 2.0, -300.0]


def test_what_is_no_finite_number_is_named_with_its_place() -> None:
    with pytest.raises(
        DataError, match=r"3 labels are not finite numbers: 'x' \(example 2\), 'nan' .*, 'inf'"
    ):
        values.declare_labels((1.0, "x", "nan", "inf"))


def test_equal_values_are_refused() -> None:
    with pytest.raises(DataError, match="all 2 examples have the value 1"):
        values.declare_labels((1, "1.0"))
    with pytest.raises(DataError, match="a training part holds one value alone"):
        values.check_training(np.array([2.0, 2.0]), (), folds=3)
    with pytest.raises(DataError, match=r"one value alone \(2\): give it examples of other values$"):
        values.check_training(np.array([2.0, 2.0]), (), folds=None)


def test_the_loss_is_the_mean_squared_error() -> None:
    logits, targets = torch.tensor([[1.0], [3.0]]), torch.tensor([0.0, 1.0], dtype=torch.float64)
    assert values.loss(logits, targets, smoothing=0.5).item() == pytest.approx(2.5)


def test_predictions_are_the_outputs() -> None:
    predictions = values.predict(np.array([[1.5], [2.0]], dtype=np.float32))
    assert predictions.dtype == np.float64
    assert values.read_values(predictions, ()) == (1.5, 2.0)
    assert values.head_config(()) == {"num_labels": 1, "problem_type": "regression"}
