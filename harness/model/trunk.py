"""A model seen as stem, blocks, tail, head: what depth d freezes.

The *blocks* are the items of the outermost repeated list that the encoder's forward walks. All else is
sorted by the order in which one forward pass calls it, not by its name: wav2vec 2.0's `encoder.layer_norm`
runs before the blocks in the base model and after them in the stable-layer-norm variant.

Levels: 0 stem, 1..n the blocks, n + 1 the pretrained tail, n + 2 the head. Depth d >= 1 freezes the levels
up to d; at d == n the tail freezes as well, and only the head trains.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList

from harness.errors import ModelError
from harness.model.batch import MODEL_FAILURES, call_model, evaluating, make_dummy_batch
from harness.model.memory import raise_shortage

STEM = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trunk:
    """Where a model's blocks lie, and the level of each of its parameters, buffers and modules."""

    path: str
    """Dotted path of the list of blocks."""
    base: str
    """Dotted path of the pretrained base model, in which stem, blocks and tail lie."""
    blocks: int
    returned: int
    """How a block returns its tensor: 0 as it is, k as the first of a tuple of k."""
    stem: tuple[str, ...]
    """Dotted paths of the outermost modules with parameters that run before the blocks."""
    levels: Mapping[str, int]
    """The level of every parameter and buffer, by its name in `named_parameters` or `named_buffers`."""
    module_levels: Mapping[str, int]
    """The level of every module, by its path; the containers of the blocks are level 0."""

    @property
    def tail(self) -> int:
        """The tail's level."""
        return self.blocks + 1

    @property
    def head(self) -> int:
        """The head's level."""
        return self.blocks + 2

    @property
    def containers(self) -> tuple[str, ...]:
        """Paths of the modules whose own forward walks the blocks, from the base model inwards."""
        steps = self.path.split(".")
        paths = (".".join(steps[:count]) for count in range(1, len(steps)))
        return tuple(path for path in paths if len(path) >= len(self.base))

    def level_of(self, name: str) -> int:
        """Return the level of the parameter or buffer `name`."""
        return self.levels[name]

    def names_at(self, level: int) -> frozenset[str]:
        """Return the parameters and buffers of one level."""
        return frozenset(name for name, own in self.levels.items() if own == level)

    def freezes(self, level: int, depth: int, *, stem_frozen: bool) -> bool:
        """Tell whether depth `depth` freezes `level`; `stem_frozen` matters at depth 0 alone."""
        if level == STEM:
            return depth > 0 or stem_frozen
        if level == self.tail:
            return depth == self.blocks
        return level <= depth


def find_trunk(
    model: nn.Module, *, fresh: frozenset[str] = frozenset(), batch: Mapping[str, torch.Tensor] | None = None
) -> Trunk:
    """Find the blocks of `model` and sort everything else around them by one forward pass.

    `fresh` are the newly initialised parameters: those of the tail belong to the head. `batch` is what the
    forward is run on, None a small made-up batch. The model may lie on the meta device.

    Raises `ModelError` where the model has no list of blocks or cannot be run on the batch.
    """
    path = find_blocks(model)
    base = find_base(model)
    trace = _trace(model, base, path, make_dummy_batch(model) if batch is None else batch)
    blocks = len(_children(model.get_submodule(path)))
    module_levels = _sort_modules(model, base, path, trace.starts)
    levels = _sort_tensors(model, module_levels, head=blocks + 2, tail=blocks + 1, fresh=fresh)
    return Trunk(
        path=path,
        base=base,
        blocks=blocks,
        returned=trace.returned,
        stem=_outermost_stem(model, path, trace.starts, module_levels),
        levels=levels,
        module_levels=module_levels,
    )


def find_blocks(model: nn.Module) -> str:
    """Return the dotted path of the list of blocks, from the model's structure alone.

    Looked for in the base model, and in its `encoder` where that holds a list: decoders and the convolutions
    of a speech model's feature extractor lie beside it. Of the lists there the shallowest is meant, of
    several equally shallow ones that with the most parameters.
    """
    root = base_prefix = _path_of(model, getattr(model, "base_model", model))
    while _lists(model, inner := _join(root, "encoder")):
        root = inner
    lists = _lists(model, root)
    if not lists:
        raise ModelError(
            f"{type(model).__name__}: no repeated list of blocks in '{base_prefix or 'the model'}', "
            f"so that it cannot be frozen by depth. Choose another backbone."
        )
    shallowest = min(path.count(".") for path in lists)
    candidates = [path for path in lists if path.count(".") == shallowest]
    return max(candidates, key=lambda path: (_parameters(model.get_submodule(path)), candidates.index(path)))


def find_base(model: nn.Module) -> str:
    """Return the base model's dotted path; a model without one (Whisper's classifier) has its encoder instead."""
    return _path_of(model, getattr(model, "base_model", model)) or find_blocks(model).split(".")[0]


def count_parameters(model: nn.Module, trunk: Trunk) -> tuple[int, ...]:
    """Return the number of parameters at each level, from stem to head."""
    sizes = [0] * (trunk.head + 1)
    for name, parameter in model.named_parameters():
        sizes[trunk.level_of(name)] += parameter.numel()
    return tuple(sizes)


class _Start(NamedTuple):
    """The first call of a module: how many blocks had begun, and its place among all first calls."""

    blocks: int
    order: int


class _BaseDone(Exception):  # noqa: N818 - no error: it ends a forward whose rest nobody needs
    """The base model has run."""


class _Trace:
    """What hooks see of one forward pass of the base model."""

    def __init__(self, path: str) -> None:
        self._prefix = f"{path}."
        self._begun = 0
        self.starts: dict[str, _Start] = {}
        self.returned = 0

    def note_start(self, name: str, *_: object) -> None:
        if name.startswith(self._prefix):
            self._begun = max(self._begun, _index(name, self._prefix) + 1)
        self.starts.setdefault(name, _Start(self._begun, len(self.starts)))

    def note_return(self, _: nn.Module, __: object, output: object) -> None:
        self.returned = len(output) if isinstance(output, tuple) else 0

    def stop(self, *_: object) -> None:
        raise _BaseDone


def _trace(model: nn.Module, base: str, path: str, batch: Mapping[str, torch.Tensor]) -> _Trace:
    """Run the base model once; note the first call of every module in it, and how its blocks return."""
    trace = _Trace(path)
    modules = [(name, module) for name, module in model.named_modules() if _inside(name, base)]
    handles = [module.register_forward_pre_hook(partial(trace.note_start, name)) for name, module in modules]
    handles += [
        block.register_forward_hook(trace.note_return) for block in model.get_submodule(path).children()
    ]
    handles.append(model.get_submodule(base).register_forward_hook(trace.stop))
    try:
        with evaluating(model), torch.no_grad():
            call_model(model, batch)
    except _BaseDone:
        return trace
    except MODEL_FAILURES as error:
        raise_shortage(error)
        raise ModelError(
            f"{type(model).__name__}: cannot be run on a small batch to find its parts: {error}"
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    raise ModelError(f"{type(model).__name__}: its forward never ran '{base}', which holds its blocks.")


def _sort_modules(model: nn.Module, base: str, path: str, starts: Mapping[str, _Start]) -> dict[str, int]:
    blocks = len(_children(model.get_submodule(path)))
    head = blocks + 2
    levels: dict[str, int] = {}
    for name, module in model.named_modules():  # parents come before their children
        if not _inside(name, base) or _is_pooler(name, module, base):
            levels[name] = head
            continue
        parent = levels.get(name.rpartition(".")[0], head)
        if name.startswith(f"{path}."):
            levels[name] = _index(name, f"{path}.") + 1
        elif parent == head and name != base:
            levels[name] = head
        elif name in starts:
            begun = starts[name].blocks
            # First called once the last block has begun, and not within it: it lies behind all blocks.
            levels[name] = blocks + 1 if begun == blocks else begun
        else:
            levels[name] = STEM if name == base else parent  # never called: DeBERTa's `rel_embeddings`
    return levels


def _sort_tensors(
    model: nn.Module, module_levels: Mapping[str, int], *, head: int, tail: int, fresh: frozenset[str]
) -> dict[str, int]:
    lowest: dict[int, int] = {}  # a tied tensor is frozen with the lowest of the modules that share it
    for name, module in model.named_modules():
        for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
            lowest[id(tensor)] = min(lowest.get(id(tensor), head), module_levels[name])
    levels = {
        name: lowest[id(tensor)] for name, tensor in (*model.named_parameters(), *model.named_buffers())
    }
    return {name: head if level == tail and name in fresh else level for name, level in levels.items()}


def _outermost_stem(
    model: nn.Module, path: str, starts: Mapping[str, _Start], module_levels: Mapping[str, int]
) -> tuple[str, ...]:
    """Return the modules of the stem that the containers call themselves, in the order of the calls."""
    modules = dict(model.named_modules())
    found = [
        name
        for name in starts
        if module_levels[name] == STEM
        and not _inside(path, name)
        and _inside(path, name.rpartition(".")[0])
        and _parameters(modules[name])
    ]
    return tuple(sorted(found, key=lambda name: starts[name].order))


def _is_pooler(name: str, module: nn.Module, base: str) -> bool:
    """BERT's pooler: a dense layer over one token, learnt for a task that is not ours."""
    return name == _join(base, "pooler") and any(isinstance(part, nn.Linear) for part in module.modules())


def _path_of(model: nn.Module, part: object) -> str:
    return next((str(name) for name, module in model.named_modules() if module is part))


def _lists(model: nn.Module, root: str) -> list[str]:
    """Return the paths of the outermost module lists under `root`, none of them inside another."""
    found: list[str] = []
    for name, module in model.named_modules():
        if not _inside(name, root) or any(_inside(name, outer) for outer in found):
            continue
        if (
            isinstance(module, nn.ModuleList)
            and not isinstance(module, ParametrizationList)
            and len(module) > 0
        ):
            found.append(name)
    return found


def _inside(name: str, root: str) -> bool:
    return not root or name == root or name.startswith(f"{root}.")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _index(name: str, prefix: str) -> int:
    return int(name[len(prefix) :].partition(".")[0])


def _children(module: nn.Module) -> list[nn.Module]:
    return list(module.children())


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
