"""Modules that stand in for others while a model is cut open.

Whatever a forward reads from a module that is stood in for still comes from the real one. The real one is no
submodule of its stand-in: it is not seen by `parameters()`, nor switched by `train()`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(slots=True)
class Slot:
    """What the stand-ins of one cut share: the stored tensor, and what the first block answered."""

    states: torch.Tensor | None = None
    answer: object = None

    def take(self) -> torch.Tensor:
        """Return the stored tensor."""
        assert self.states is not None, "a model that is cut open is called through its Cut"
        return self.states


class StandIn(nn.Module):
    """Answers as told to; every other attribute is the real module's."""

    def __init__(self, real: nn.Module, answer: Callable[..., object]) -> None:
        super().__init__()
        self.__dict__["_real"] = real  # past nn.Module's registration of submodules
        self.__dict__["_answer"] = answer

    def __getattr__(self, name: str) -> torch.Tensor | nn.Module:
        return getattr(self.__dict__["_real"], name)  # type: ignore[no-any-return]

    def forward(self, *args: object, **kwargs: object) -> object:
        """Return the told answer."""
        return self.__dict__["_answer"](*args, **kwargs)


@contextmanager
def standing_in(model: nn.Module, path: str, answer: Callable[..., object]) -> Iterator[None]:
    """Let `answer` be called in place of the module at `path`; the real one is back on exit."""
    parent_path, _, name = path.rpartition(".")
    parent = model.get_submodule(parent_path)
    real = model.get_submodule(path)
    setattr(parent, name, StandIn(real, answer))
    try:
        yield
    finally:
        setattr(parent, name, real)


def make_stub(real: nn.Module) -> Callable[..., object]:
    """Return a function that answers as `real` would, but with zeros: nothing is computed, only shapes.

    The shapes come from a twin of `real` on the meta device, so that they are right for any input; they are
    remembered, for the seven convolutions of a wav2vec 2.0 cost 30 ms there.
    """
    tensors = [*real.parameters(), *real.buffers()]
    device = tensors[0].device
    twin = copy.deepcopy(real, {id(tensor): _to_meta(tensor) for tensor in tensors}).eval()
    known: dict[Hashable, object] = {}

    def answer(*args: object, **kwargs: object) -> object:
        key = _describe([args, kwargs])
        if key not in known:
            with torch.no_grad():
                known[key] = twin(
                    *(_map_tensors(_to_meta, value) for value in args),
                    **{name: _map_tensors(_to_meta, value) for name, value in kwargs.items()},
                )
        return _map_tensors(lambda tensor: torch.zeros_like(tensor, device=device), known[key])

    return answer


def first_input(args: tuple[object, ...], kwargs: dict[str, object]) -> torch.Tensor:
    """Return the tensor a block is called with: its first argument, by position or by name."""
    return next(value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor))


def replace_input(
    args: tuple[object, ...], kwargs: dict[str, object], states: torch.Tensor
) -> tuple[tuple[object, ...], dict[str, object]]:
    """Return the arguments of a block with `states` in place of the tensor it is called with."""
    if args:
        return (states, *args[1:]), kwargs
    name = next(name for name, value in kwargs.items() if isinstance(value, torch.Tensor))
    return args, {**kwargs, name: states}


def first_output(output: object) -> torch.Tensor:
    """Return the tensor a block made: what it returned, or the first of a tuple."""
    tensor = output[0] if isinstance(output, tuple) else output
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"a block returned a {type(tensor).__name__}, not a tensor")
    return tensor


def _to_meta(tensor: torch.Tensor) -> torch.Tensor:
    meta = torch.empty_like(tensor, device="meta")
    return nn.Parameter(meta, requires_grad=False) if isinstance(tensor, nn.Parameter) else meta


def _describe(value: object) -> Hashable:
    """Return what a call's shapes depend on: shapes and number formats of its tensors, and all else by value."""
    if isinstance(value, torch.Tensor):
        return value.shape, value.dtype
    if isinstance(value, dict):
        return tuple((name, _describe(item)) for name, item in value.items())
    if isinstance(value, tuple | list):
        return tuple(map(_describe, value))
    return value


def _map_tensors(change: Callable[[torch.Tensor], torch.Tensor], value: object) -> object:
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: _map_tensors(change, item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_map_tensors(change, item) for item in value)
    return value
