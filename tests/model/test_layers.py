"""Layers: what `harness layers` shows of a folder."""

from __future__ import annotations

from pathlib import Path

import pytest
import transformers

from harness.errors import ModelError
from harness.model.layers import count_blocks, describe_layers

VISION = "AutoModelForImageClassification"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    transformers.utils.logging.disable_progress_bar()
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        image_size=16,
        patch_size=8,
        num_labels=3,
    )
    transformers.ViTForImageClassification(config).save_pretrained(tmp_path)
    return tmp_path


def test_blocks_are_counted_without_loading_weights(folder: Path) -> None:
    assert count_blocks(folder, VISION) == 2


def test_parts_are_told_with_the_depth_at_which_they_freeze(folder: Path) -> None:
    layers = describe_layers(folder, VISION)
    assert (layers.architecture, layers.path, layers.blocks) == ("ViTForImageClassification", "vit.layers", 2)
    assert [(part.name, part.frozen_from) for part in layers.parts] == [
        ("stem", 1),
        ("block 1", 1),
        ("block 2", 2),
        ("tail", 2),
        ("head", None),
    ]
    sizes = [part.parameters for part in layers.parts]
    assert sizes[1] == sizes[2] > 0
    assert sizes[3:] == [32, 51]
    assert layers.parts[3].modules == ("vit.layernorm",)


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    for look in (count_blocks, describe_layers):
        with pytest.raises(ModelError, match=r"holds no config\.json"):
            look(tmp_path, VISION)
