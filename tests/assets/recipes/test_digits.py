"""Digits that scikit-learn carries."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image
from sklearn.datasets import load_digits

from harness.assets.recipes.digits import build


def test_all_digits_come_with_their_ink(tmp_path: Path) -> None:
    build({}, tmp_path)
    rows = pq.read_table(tmp_path / "examples.parquet").to_pylist()
    digits = load_digits()
    assert [row["label"] for row in rows] == [str(label) for label in digits.target]
    pictures = np.stack([np.asarray(Image.open(io.BytesIO(row["image"]))) for row in rows])
    assert (np.rint(pictures / (255 / 16)) == digits.images).all()
