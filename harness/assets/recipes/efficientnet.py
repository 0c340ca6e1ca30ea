"""EfficientNet-Lite0 (ImageNet) as an `EfficientNetForImageClassification` of transformers, exactly.

Lite0 is EfficientNet-B0 (https://arxiv.org/abs/1905.11946) without squeeze-and-excite and with ReLU6 for
swish. transformers has no switch for the former: each gate is given zero weights and a bias of 30, so that it
is sigmoid(30) = 1.0 in float32. The source names its layers in the order in which transformers builds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import EfficientNetConfig

WEIGHTS = "efficientnet-lite0-57934424.pth"
GATE_BIAS = 30.0
_BLOCK = {
    "_expand_conv": "expansion.expand_conv",
    "_bn0": "expansion.expand_bn",
    "_depthwise_conv": "depthwise_conv.depthwise_conv",
    "_bn1": "depthwise_conv.depthwise_norm",
    "_project_conv": "projection.project_conv",
    "_bn2": "projection.project_bn",
}
_AROUND = {
    "_conv_stem": "efficientnet.embeddings.convolution",
    "_bn0": "efficientnet.embeddings.batchnorm",
    "_conv_head": "efficientnet.encoder.top_conv",
    "_bn1": "efficientnet.encoder.top_bn",
    "_fc": "classifier",
}


def build(sources: Mapping[str, Path], out: Path) -> None:
    """Convert the state dictionary, read with `weights_only=True`; add config and image processor."""
    import torch
    from safetensors.torch import save_file
    from transformers import EfficientNetImageProcessorPil

    state = torch.load(sources[WEIGHTS], map_location="cpu", weights_only=True)
    tensors = {_rename(name): tensor.contiguous() for name, tensor in state.items()}
    config = make_config()
    tensors |= _open_gates(tensors, config)
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    config.save_pretrained(out)
    # (x - 127) / 128 on 0..255, as the network was trained; the processor scales to 0..1 first.
    EfficientNetImageProcessorPil(
        size={"height": 224, "width": 224},
        do_center_crop=False,
        image_mean=[127 / 255] * 3,
        image_std=[128 / 255] * 3,
        include_top=False,
    ).save_pretrained(out)


def make_config() -> EfficientNetConfig:
    """Return the configuration of Lite0: B0's widths and depths, ReLU6, 1,000 classes."""
    from transformers import EfficientNetConfig

    return EfficientNetConfig(
        architectures=["EfficientNetForImageClassification"],
        image_size=224,
        width_coefficient=1.0,
        depth_coefficient=1.0,
        hidden_act="relu6",
        hidden_dim=1280,
        batch_norm_eps=1e-3,
        batch_norm_momentum=0.01,
        dropout_rate=0.2,
        drop_connect_rate=0.0,
        id2label={label: f"LABEL_{label}" for label in range(1000)},
    )


def _rename(name: str) -> str:
    """Return transformers' name of a tensor of the source."""
    if name.startswith("_blocks."):
        _, block, layer, leaf = name.split(".")
        return f"efficientnet.encoder.blocks.{block}.{_BLOCK[layer]}.{leaf}"
    layer, leaf = name.split(".")
    return f"{_AROUND[layer]}.{leaf}"


def _open_gates(tensors: Mapping[str, Tensor], config: EfficientNetConfig) -> Mapping[str, Tensor]:
    """Return squeeze-and-excite weights that let everything through, for each block."""
    import torch

    gates: dict[str, Tensor] = {}
    for block in range(sum(config.num_block_repeats)):
        prefix = f"efficientnet.encoder.blocks.{block}"
        width = tensors[f"{prefix}.depthwise_conv.depthwise_conv.weight"].shape[0]
        entry = tensors.get(f"{prefix}.expansion.expand_conv.weight")
        squeezed = max(1, int((width if entry is None else entry.shape[1]) * config.squeeze_expansion_ratio))
        gate = f"{prefix}.squeeze_excite"
        gates[f"{gate}.reduce.weight"] = torch.zeros(squeezed, width, 1, 1)
        gates[f"{gate}.reduce.bias"] = torch.zeros(squeezed)
        gates[f"{gate}.expand.weight"] = torch.zeros(width, squeezed, 1, 1)
        gates[f"{gate}.expand.bias"] = torch.full((width,), GATE_BIAS)
    return gates
