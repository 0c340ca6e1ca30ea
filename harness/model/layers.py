"""What a checkpoint's model is made of, part by part, and the depth at which each part freezes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.model.checkpoint import check_checkpoint
from harness.model.load import build_empty, check_size

if TYPE_CHECKING:
    from torch import nn

    from harness.model.trunk import Trunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a model."""

    name: str
    """`stem`, `block 1`, …, `tail`, `head`."""
    modules: tuple[str, ...]
    """Dotted paths of the modules that own its parameters."""
    parameters: int
    frozen_from: int | None
    """The smallest depth at which it is frozen; None: it always trains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """A model's parts from its input to its output."""

    architecture: str
    path: str
    """Dotted path of the list of blocks."""
    blocks: int
    parts: tuple[Part, ...]


def count_blocks(folder: Path, auto_class: str, *, here: bool = True) -> int:
    """Return the number of blocks of a checkpoint's model, without loading its weights; `here` as in `check_size`.

    Raises `ModelError` where the folder is unsafe or its model has no list of blocks.
    """
    from harness.model.trunk import find_blocks

    check_checkpoint(folder)
    model = check_size(folder, auto_class, here=here)
    return len(list(model.get_submodule(find_blocks(model)).children()))


def describe_layers(folder: Path, auto_class: str) -> Layers:
    """Describe the parts of a checkpoint's model, without loading its weights.

    A head is what lies outside the base model: a checkpoint that lacks parts of its tail is told apart by
    loading. Raises `ModelError` where the folder is unsafe, or the model cannot be run on a made-up batch.
    """
    from harness.model.trunk import count_parameters, find_trunk

    check_checkpoint(folder)
    check_size(folder, auto_class)
    # On the CPU, not on the meta device: causal masks and Bart look at values. What was never written costs no memory.
    model = build_empty(folder, auto_class, device="cpu")
    trunk = find_trunk(model)
    names = ("stem", *(f"block {block}" for block in range(1, trunk.blocks + 1)), "tail", "head")
    sizes = count_parameters(model, trunk)
    parts = (
        Part(
            name=name,
            modules=_list_owners(model, trunk.names_at(level)),
            parameters=sizes[level],
            frozen_from=_find_first_depth(trunk, level),
        )
        for level, name in enumerate(names)
    )
    return Layers(architecture=type(model).__name__, path=trunk.path, blocks=trunk.blocks, parts=tuple(parts))


def _list_owners(model: nn.Module, names: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted({name.rpartition(".")[0] for name, _ in model.named_parameters() if name in names}))


def _find_first_depth(trunk: Trunk, level: int) -> int | None:
    return next((d for d in range(trunk.blocks + 1) if trunk.freezes(level, d, stem_frozen=False)), None)
