"""EfficientNet-Lite0 in plain torch, written from its paper and its layers' names: the oracle of the conversion."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  # everybody's name for it

# Kernel, stride, whether the block expands: seven stages of 1, 2, 2, 3, 3, 4, 1 blocks.
BLOCKS = (
    (3, 1), (3, 2), (3, 1), (5, 2), (5, 1), (3, 2), (3, 1), (3, 1),
    (5, 1), (5, 1), (5, 1), (5, 2), (5, 1), (5, 1), (5, 1), (3, 1),
)  # fmt: skip


def compute_logits(state: Mapping[str, Tensor], pixels: Tensor) -> Tensor:
    """Return the logits, (pictures, 1000), of the source's own weights."""
    x = F.relu6(_norm(state, "_bn0", _convolve(pixels, state["_conv_stem.weight"], 2)))
    for number, (_, stride) in enumerate(BLOCKS):
        x = _run_block(state, f"_blocks.{number}", x, stride)
    x = F.relu6(_norm(state, "_bn1", _convolve(x, state["_conv_head.weight"], 1)))
    return F.linear(x.mean(dim=(2, 3)), state["_fc.weight"], state["_fc.bias"])


def _run_block(state: Mapping[str, Tensor], name: str, x: Tensor, stride: int) -> Tensor:
    y = x
    if f"{name}._expand_conv.weight" in state:
        y = F.relu6(_norm(state, f"{name}._bn0", _convolve(y, state[f"{name}._expand_conv.weight"], 1)))
    depthwise = state[f"{name}._depthwise_conv.weight"]
    y = F.relu6(_norm(state, f"{name}._bn1", _convolve(y, depthwise, stride, groups=len(depthwise))))
    y = _norm(state, f"{name}._bn2", _convolve(y, state[f"{name}._project_conv.weight"], 1))
    return x + y if stride == 1 and x.shape == y.shape else y


def _convolve(x: Tensor, weight: Tensor, stride: int, groups: int = 1) -> Tensor:
    """Convolve with TensorFlow's padding "same": what does not divide goes to the right and the bottom."""
    pads: list[int] = []
    for size, kernel in zip(reversed(x.shape[2:]), reversed(weight.shape[2:]), strict=True):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        pads += [total // 2, total - total // 2]
    return F.conv2d(F.pad(x, pads), weight, stride=stride, groups=groups)


def _norm(state: Mapping[str, Tensor], name: str, x: Tensor) -> Tensor:
    mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    return F.batch_norm(x, mean, var, state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-3)


def make_pictures(size: int) -> Tensor:
    """Return two pictures of noise as the network reads them, (2, 3, size, size)."""
    noise = torch.randint(0, 256, (2, 3, size, size), generator=torch.Generator().manual_seed(0))
    return (noise.float() - 127) / 128
