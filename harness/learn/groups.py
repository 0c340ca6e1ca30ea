"""Parameter groups: who learns at which rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import nn

from harness.candidate import Candidate


def group_parameters(
    named: Iterable[tuple[str, nn.Parameter]],
    candidate: Candidate,
    *,
    level_of: Callable[[str], int],
    blocks: int,
) -> list[dict[str, object]]:
    """Return AdamW's groups: the head at `head_lr`, the rest at `backbone_lr` shrunk by `layer_decay` a level down.

    `level_of` gives a parameter's level: 0 for the stem, 1 to n for the blocks, n + 1 for the pretrained tail and
    n + 2 for the head. The tail and block n learn at backbone_lr, level k < n at
    backbone_lr * layer_decay ** (n - k). Vectors (biases and the weights of norms) do not decay.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in named:
        rate = _rate(candidate, level_of(name), blocks)
        decay = candidate.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": params, "lr": rate, "weight_decay": decay} for (rate, decay), params in groups.items()]


def _rate(candidate: Candidate, level: int, blocks: int) -> float:
    if level == blocks + 2:
        return candidate.head_lr
    assert candidate.backbone_lr is not None, "nothing below the head trains where all blocks are frozen"
    return candidate.backbone_lr * candidate.layer_decay ** max(0, blocks - level)


def build_schedule(
    optimizer: torch.optim.Optimizer, candidate: Candidate, *, steps: int
) -> torch.optim.lr_scheduler.LambdaLR:
    """Return the schedule: a linear rise over the warm-up, then a linear or cosine fall to 0 at the last step."""
    warm = max(1, round(candidate.warmup * steps)) if candidate.warmup else 0

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        left = max(0.0, (steps - step) / max(1, steps - warm))
        if candidate.schedule == "linear":
            return left
        return float(0.5 - 0.5 * torch.cos(torch.tensor(torch.pi * left)))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
