"""The one pickle that is read, and those that are not."""

from __future__ import annotations

import gzip
import io
import os
import pickle
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from harness.assets.recipes.animals import build, read_array
from harness.errors import AssetError


class Harmful:
    """Would run a command when unpickled."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self._trace}",)


def zip_pickle(path: Path, value: object, protocol: int = 4) -> Path:
    path.write_bytes(gzip.compress(pickle.dumps(value, protocol)))
    return path


@pytest.mark.parametrize("protocol", [3, 4])
def test_an_array_comes_back(tmp_path: Path, protocol: int) -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert (read_array(zip_pickle(tmp_path / "a.gz", array, protocol)) == array).all()


def test_an_array_that_numpy_1_pickled_comes_back(tmp_path: Path) -> None:
    data = pickle.dumps(np.arange(3), 3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    (tmp_path / "a.gz").write_bytes(gzip.compress(data))
    assert read_array(tmp_path / "a.gz").tolist() == [0, 1, 2]


def test_a_pickle_that_runs_a_command_is_refused_unrun(tmp_path: Path) -> None:
    path = zip_pickle(tmp_path / "a.gz", Harmful(tmp_path / "ran"))
    with pytest.raises(AssetError, match=r"names 'posix\.system'"):
        read_array(path)
    assert not (tmp_path / "ran").exists()


def test_an_array_of_objects_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssetError):
        read_array(zip_pickle(tmp_path / "a.gz", np.array([Harmful(tmp_path / "ran")], dtype=object)))
    with pytest.raises(AssetError, match="holds no plain array"):
        read_array(zip_pickle(tmp_path / "a.gz", [1, 2]))
    assert not (tmp_path / "ran").exists()


def test_repeated_pictures_are_dropped_and_the_rest_keep_their_numbers(tmp_path: Path) -> None:
    from PIL import Image

    pictures = np.random.default_rng(0).integers(0, 256, (4, 28, 28), dtype=np.uint8)
    pictures[2] = pictures[0]
    sources = {
        "animal_data_version_3.gz": zip_pickle(tmp_path / "x.gz", pictures),
        "animal_label_version_3.gz": zip_pickle(tmp_path / "y.gz", np.array([0, 9, 0, 4])),
    }
    build(sources, tmp_path)
    rows = pq.read_table(tmp_path / "examples.parquet").to_pylist()
    assert [(row["id"], row["label"]) for row in rows] == [
        ("00000", "bear"),
        ("00001", "zebra"),
        ("00003", "dog"),
    ]
    assert (np.asarray(Image.open(io.BytesIO(rows[1]["image"]))) == pictures[1]).all()
