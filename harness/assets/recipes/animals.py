"""Silhouettes of ten animals, 28 x 28 grey, repeated pictures dropped: 9,716 of 10,000 remain.

The package stores two gzipped pickles of arrays. They are read by an unpickler that knows three names of
numpy and nothing else, so that a pickle which tries to call anything is refused.
"""

from __future__ import annotations

import gzip
import io
import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.assets.recipes.rows import make_table, write_examples
from harness.errors import AssetError
from harness.modalities.pictures import encode_picture

PICTURES = "animal_data_version_3.gz"
LABELS = "animal_label_version_3.gz"
NAMES = ("bear", "bird", "cat", "cow", "dog", "elephant", "giraffe", "horse", "sheep", "zebra")
# numpy 2 moved the module; pickles of numpy 1 still name the old one.
ADMITTED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}


def build(sources: Mapping[str, Path], out: Path) -> None:
    """Write the first of each set of equal pictures with the animal's name."""
    pictures = read_array(sources[PICTURES]).astype(np.uint8)  # (pictures, height, width)
    labels = read_array(sources[LABELS])
    rows: list[tuple[object, ...]] = []
    seen: set[bytes] = set()
    for number, (pixels, label) in enumerate(zip(pictures, labels, strict=True)):
        if pixels.tobytes() in seen:
            continue
        seen.add(pixels.tobytes())
        rows.append((f"{number:05}", encode_picture(pixels), NAMES[label]))
    write_examples(make_table(rows, "id", "image", "label"), out)


def read_array(path: Path) -> NDArray[np.generic]:
    """Return the array in a gzipped pickle; raises `AssetError` when it holds anything but a plain array."""
    with gzip.open(path) as file:
        value = _ArrayUnpickler(io.BytesIO(file.read())).load()
    if not isinstance(value, np.ndarray) or value.dtype.hasobject:
        raise AssetError(f"{path.name}: holds no plain array")
    return value


class _ArrayUnpickler(pickle.Unpickler):
    """Admits what the pickle of an array names, and nothing that runs code."""

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in ADMITTED:
            raise AssetError(f"refused: the pickle names '{module}.{name}', which no array needs")
        if name == "_reconstruct":
            return np._core.multiarray._reconstruct  # type: ignore[attr-defined]  # private, but what numpy pickles
        return getattr(np, name)
