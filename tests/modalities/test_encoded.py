"""Encoded rows as batches."""

from __future__ import annotations

import numpy as np

from harness.modalities.encoded import Encoded


def test_rows_of_one_shape_are_stacked_in_the_order_asked() -> None:
    encoded = Encoded(columns={"x": [np.full((2, 3), row, dtype=np.float32) for row in range(4)]})
    batch = encoded.batch(np.array([3, 1]))["x"]
    assert batch.shape == (2, 2, 3)
    assert batch[:, 0, 0].tolist() == [3, 1]
    assert len(encoded) == 4


def test_each_input_is_filled_with_its_own_value() -> None:
    columns = {"ids": [np.array([5, 6]), np.array([7])], "mask": [np.array([1, 1]), np.array([1])]}
    encoded = Encoded(columns=columns, padding={"ids": 9, "mask": 0})
    batch = encoded.batch([1, 0])
    assert batch["ids"].tolist() == [[7, 9], [5, 6]]
    assert batch["mask"].tolist() == [[1, 0], [1, 1]]
    assert encoded.lengths.tolist() == [2, 1]
    assert encoded.batch([1])["ids"].tolist() == [[7]]
