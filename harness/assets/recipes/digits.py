"""Handwritten digits, 8 x 8 grey, carried by scikit-learn: pretraining on photographs does not help here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from harness.assets.recipes.rows import make_table, write_examples
from harness.modalities.pictures import encode_picture

DARKEST = 16  # scikit-learn counts ink from 0 to 16


def build(_: Mapping[str, Path], out: Path) -> None:
    """Write all 1,797 digits, ink scaled from 0..16 to 0..255."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    pictures = np.rint(digits.images * (255 / DARKEST)).astype(np.uint8)  # (pictures, 8, 8)
    rows = [
        (f"{number:04}", encode_picture(pixels), str(label))
        for number, (pixels, label) in enumerate(zip(pictures, digits.target, strict=True))
    ]
    write_examples(make_table(rows, "id", "image", "label"), out)
