from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ResNet of two stages, full of batch norms, that reads pictures of 16 x 16."""
    import torch
    from transformers import ResNetConfig, ResNetModel, ViTImageProcessorPil

    folder = tmp_path_factory.mktemp("checkpoints") / "tiny-resnet"
    ViTImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(folder)
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic")
    with torch.random.fork_rng():
        torch.manual_seed(7)
        ResNetModel(config).save_pretrained(folder)
    return folder
