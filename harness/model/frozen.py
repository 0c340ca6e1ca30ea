"""The part of a model that does not learn, and the digest that proves it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from harness.model.trunk import Trunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """What does not learn."""

    names: frozenset[str]
    """Parameters and buffers."""
    modules: frozenset[str]
    """Paths of the modules that stay in eval mode, those without parameters (dropout) among them."""


def choose_frozen(trunk: Trunk, depth: int, *, stem_frozen: bool) -> Frozen:
    """Return what depth `depth` freezes; `stem_frozen` freezes the stem at depth 0 as well.

    With the stem go the containers of the blocks: what is random in their own forward (Whisper's dropout on
    its embeddings, SpecAugment, LayerDrop) lies below a cut, or drops blocks that are frozen.
    """

    def freezes(level: int) -> bool:
        return trunk.freezes(level, depth, stem_frozen=stem_frozen)

    return Frozen(
        names=frozenset(name for name, level in trunk.levels.items() if freezes(level)),
        modules=frozenset(path for path, level in trunk.module_levels.items() if freezes(level)),
    )


@contextmanager
def freeze(model: nn.Module, frozen: Frozen) -> Iterator[None]:
    """Take the frozen part out of training; on exit every parameter learns that learnt before."""
    parameters = [p for name, p in model.named_parameters() if name in frozen.names and p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad = False
        parameter.grad = None
    settle(model, frozen)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad = True


def settle(model: nn.Module, frozen: Frozen) -> None:
    """Put the frozen modules back into eval mode: call it after each `model.train()`.

    A call that the loop makes, rather than a `train()` overridden on the model: nothing has to be undone, and
    the model that is saved is the model that was loaded.
    """
    for path, module in model.named_modules():
        if path in frozen.modules:
            module.training = (
                False  # this module alone: a container is frozen with the stem, its blocks are not
            )


def fix_batch_norm(model: nn.Module) -> None:
    """Let every BatchNorm keep its pretrained statistics while its weights learn: call it after `settle`."""
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.training = False


def digest_frozen(model: nn.Module, names: Collection[str]) -> str:
    """Return the SHA-256 of the parameters and buffers `names`: name, dtype, shape and every byte.

    Buffers count: BatchNorm's running statistics move without any gradient. Call it while no cut is open.
    """
    tensors: dict[str, torch.Tensor] = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    digest = hashlib.sha256()
    for name in sorted(names):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
