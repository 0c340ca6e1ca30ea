"""Pictures as pixels."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from transformers import CLIPImageProcessorPil

from harness.errors import ModelError
from harness.examples import Media
from harness.learn.opening import open_bench
from harness.modalities import image
from harness.modalities.pictures import encode_picture
from harness.spec.options import TaskOptions
from tests.learn.tiny import build_source


def options(size: int | None = None) -> TaskOptions:
    return cast("TaskOptions", SimpleNamespace(image_size=size))


def paint(height: int, width: int) -> Media:
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[..., 0], pixels[..., 2] = 255, np.linspace(0, 255, width).astype(np.uint8)
    return Media(data=encode_picture(pixels), name="painted.png")


def test_pictures_of_any_size_become_one_size(tiny_vit: Path) -> None:
    processor = image.load_processor(tiny_vit, options(), ())
    encoded = image.encode(processor, [paint(16, 16), paint(40, 7), paint(100, 300)])
    batch = encoded.batch([0, 1, 2])["pixel_values"]
    assert batch.shape == (3, 3, 16, 16)
    assert encoded.padding is None


def test_the_size_is_the_task_s_where_it_gives_one(tiny_vit: Path) -> None:
    processor = image.load_processor(tiny_vit, options(24), ())
    assert image.encode(processor, [paint(16, 16)]).batch([0])["pixel_values"].shape == (1, 3, 24, 24)


@pytest.mark.parametrize("height", [1, 2, 3])
def test_a_flat_picture_keeps_its_colours(tiny_vit: Path, height: int) -> None:
    """Its rows of pixels must not be taken for channels."""
    processor = image.load_processor(tiny_vit, options(), ())
    flat, square = (
        image.encode(processor, [paint(rows, 32)]).columns["pixel_values"][0] for rows in (height, 32)
    )
    assert flat[0].min() == pytest.approx(1.0)  # red everywhere, normalised to 1
    np.testing.assert_allclose(flat, square, atol=0.03)


def test_a_processor_that_leaves_sizes_apart_asks_for_one(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    CLIPImageProcessorPil(size={"shortest_edge": 24}, do_center_crop=False).save_pretrained(tmp_path)
    processor = image.load_processor(tmp_path, options(), ())
    with pytest.raises(ModelError, match=r"pictures of 2 sizes, such as .* set image_size"):
        image.encode(processor, [paint(16, 16), paint(16, 32)])
    narrowed = image.load_processor(tmp_path, options(32), ())
    assert image.encode(narrowed, [paint(16, 16), paint(16, 32)]).batch([0, 1])["pixel_values"].shape[
        -2:
    ] == (32, 32)


def test_a_size_that_a_model_cannot_read_is_its_error(request: pytest.FixtureRequest) -> None:
    source = build_source(request, "image-classification", task={"image_size": 24})
    with pytest.raises(ModelError, match=r"16\*16|24"):
        open_bench(source, "task", "tiny")


def test_the_classical_description_is_grey_and_small() -> None:
    features, unfitted = image.describe_classical([paint(64, 64), paint(5, 5)])
    assert features.shape == (2, 1024)
    assert unfitted is None
    assert 0 <= features.min() <= features.max() <= 1
    assert features[0].reshape(32, 32)[0, 0] == pytest.approx(1 / 3, abs=0.02)
