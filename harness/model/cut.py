"""A model cut in front of block d: it takes the tensor that enters the block, made once and stored.

The model's own forward runs unchanged, with other modules standing in for what lies below the cut: for the
blocks one that returns the stored tensor, for the stem one that returns zeros of the right shape. Whatever
the forward reads from a module that is stood in for (ViT its `patch_embeddings`, Llama its `attention_type`,
Swin its `downsample`) still comes from the real one. That this gives the whole model's answer is proven, not
assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from enum import StrEnum
from functools import partial
from typing import final

import torch
from torch import nn

from harness.errors import ModelError
from harness.model.batch import MODEL_FAILURES, call_model, evaluating, resting
from harness.model.memory import raise_shortage
from harness.model.standin import Slot, first_input, first_output, make_stub, replace_input, standing_in
from harness.model.trunk import Trunk


class Manner(StrEnum):
    """What still runs below a cut. Of two manners that are right the earlier is the cheaper."""

    STUB = "stub"
    """Nothing: stem and blocks are stood in for."""
    FIRST = "first"
    """The first block, on zeros: T5 and WavLM make there the position bias that all blocks need."""
    STEM = "stem"
    """The stem: something in it is needed above the cut."""
    STEM_AND_FIRST = "stem and first"

    @property
    def runs_stem(self) -> bool:
        """Whether the real stem runs."""
        return self in (Manner.STEM, Manner.STEM_AND_FIRST)

    @property
    def runs_first(self) -> bool:
        """Whether the real first block runs."""
        return self in (Manner.FIRST, Manner.STEM_AND_FIRST)


@final
class Cut:
    """A model open at a cut."""

    def __init__(self, model: nn.Module, slot: Slot) -> None:
        self._model = model
        self._slot = slot

    def __call__(self, states: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
        """Run what lies above the cut on `states`, shaped as `run_to` returns them; return what it answers.

        `batch` is what the whole model would be given. Where the stem is stood in for, only shape, dtype and
        device of the main input count: `torch.zeros(()).expand(shape)` will do.
        """
        self._slot.states = states
        try:
            return call_model(self._model, batch)
        finally:
            self._slot.states = self._slot.answer = None


@contextmanager
def open_cut(model: nn.Module, trunk: Trunk, depth: int, manner: Manner) -> Iterator[Cut]:
    """Cut `model` in front of block `depth`: depth 0 behind a frozen stem, `blocks` in front of the tail.

    While the cut is open, `model.parameters()` and `model.train()` reach what lies above it, and a stem that
    still runs: freeze that. On exit the model is whole, also after an exception.
    """
    slot = Slot()
    with ExitStack() as stack:
        if not manner.runs_stem:
            for path in trunk.stem:
                stack.enter_context(standing_in(model, path, make_stub(model.get_submodule(path))))
        if depth == 0:
            hook = partial(_enter_first, slot)
            first = model.get_submodule(f"{trunk.path}.0")
            stack.callback(first.register_forward_pre_hook(hook, with_kwargs=True).remove)
        if manner.runs_first:
            stack.enter_context(resting(model.get_submodule(f"{trunk.path}.0")))
        for block in range(depth):
            path = f"{trunk.path}.{block}"
            stack.enter_context(
                standing_in(model, path, _make_answer(model, trunk, path, block, manner, slot))
            )
        yield Cut(model, slot)


def run_to(
    model: nn.Module, trunk: Trunk, batch: Mapping[str, torch.Tensor], depths: Collection[int]
) -> dict[int, torch.Tensor]:
    """Return the tensor entering block d for each wanted depth d; for d = blocks what the last block made.

    One forward in eval mode without gradients, ended at the deepest. Tensors are shaped as the model makes
    them, (examples, positions, width) or (examples, channels, height, width), and may take part in autograd.

    Raises `ModelError` where the model never calls such a block.
    """
    taken: dict[int, torch.Tensor] = {}
    blocks = list(model.get_submodule(trunk.path).children())
    with ExitStack() as stack:
        for depth in depths:
            stack.callback(_take(blocks, depth, taken).remove)
        if max(depths) < trunk.blocks:
            stack.callback(blocks[max(depths)].register_forward_pre_hook(_stop).remove)
        else:
            stack.callback(model.get_submodule(trunk.containers[-1]).register_forward_hook(_stop).remove)
        with evaluating(model), torch.no_grad(), suppress(_DeepEnough):
            call_model(model, batch)
    if missing := sorted(set(depths) - set(taken)):
        raise ModelError(f"{type(model).__name__}: nothing was seen to enter its blocks at depth {missing}.")
    return taken


def prove_cut(
    model: nn.Module, trunk: Trunk, depth: int, batch: Mapping[str, torch.Tensor], *, tolerance: float = 1e-5
) -> Manner | None:
    """Return the cheapest manner in which the cut model answers `batch` as the whole does; None: none does.

    Compared in eval mode, relative to the largest value where that is above 1: the logits, and what the base
    model hands to its head, for a head that starts at zero gives the same logits whatever enters it. `batch`
    should hold examples of unequal length: they show most. Depth 0 is the cut behind a frozen stem.
    """
    whole = _observe(model, trunk, partial(call_model, model, batch))
    try:
        states = run_to(model, trunk, batch, [depth])[depth]
    except (
        ModelError,
        *MODEL_FAILURES,
    ) as fault:  # a block that is no module call, or answers with no tensor
        raise_shortage(fault)
        return None
    manners = [manner for manner in Manner if depth > 0 or not manner.runs_first]
    return next(
        (m for m in manners if _agrees(model, trunk, depth, m, states, batch, whole, tolerance)), None
    )


class _DeepEnough(Exception):  # noqa: N818 - no error: it ends a forward whose rest nobody needs
    """The deepest wanted tensor is there."""


def _stop(*_: object) -> None:
    raise _DeepEnough


def _take(
    blocks: list[nn.Module], depth: int, taken: dict[int, torch.Tensor]
) -> torch.utils.hooks.RemovableHandle:
    def take_input(_: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        taken.setdefault(depth, first_input(args, kwargs).clone())

    def take_output(_: nn.Module, __: object, output: object) -> None:
        taken[depth] = first_output(
            output
        ).clone()  # of a block that runs repeatedly (ALBERT's) the last counts

    if depth == 0:
        return blocks[0].register_forward_pre_hook(take_input, with_kwargs=True)
    return blocks[depth - 1].register_forward_hook(take_output)


def _enter_first(
    slot: Slot, _: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]
) -> tuple[tuple[object, ...], dict[str, object]]:
    return replace_input(args, kwargs, slot.take())


def _make_answer(
    model: nn.Module, trunk: Trunk, path: str, block: int, manner: Manner, slot: Slot
) -> Callable[..., object]:
    """Return what answers for one block below the cut."""

    def give_stored(*_: object, **__: object) -> object:
        states = slot.take()
        return (states, *[None] * (trunk.returned - 1)) if trunk.returned else states

    def run_first(*args: object, **kwargs: object) -> object:
        with torch.no_grad():
            answer = real(*args, **kwargs)
        slot.answer = (slot.take(), *answer[1:]) if isinstance(answer, tuple) else slot.take()
        return slot.answer

    def repeat_first(*_: object, **__: object) -> object:
        return slot.answer

    if not manner.runs_first:
        return give_stored
    real = model.get_submodule(path)
    return run_first if block == 0 else repeat_first


def _observe(
    model: nn.Module, trunk: Trunk, call: Callable[[], Mapping[str, torch.Tensor]]
) -> tuple[torch.Tensor, ...]:
    """Return the logits of one call, and the tensor that left the base model."""
    seen: list[torch.Tensor] = []

    def see(_: nn.Module, __: object, output: object) -> None:
        values = output.values() if isinstance(output, Mapping) else (first_output(output),)
        seen.append(next(value for value in values if isinstance(value, torch.Tensor)).clone())

    handle = model.get_submodule(trunk.base).register_forward_hook(see)
    try:
        with evaluating(model), torch.no_grad():
            logits = call()["logits"]
    finally:
        handle.remove()
    return (logits, *seen)


def _agrees(
    model: nn.Module,
    trunk: Trunk,
    depth: int,
    manner: Manner,
    states: torch.Tensor,
    batch: Mapping[str, torch.Tensor],
    whole: tuple[torch.Tensor, ...],
    tolerance: float,
) -> bool:
    given = states.clone()
    try:
        with open_cut(model, trunk, depth, manner) as cut:
            mine = _observe(model, trunk, partial(cut, given, batch))
    except MODEL_FAILURES as fault:
        raise_shortage(fault)
        return False
    pairs = [*zip(mine, whole, strict=True), (given, states)]  # stored tensors must not be written into
    return all(a.shape == b.shape and _apart(a, b) <= tolerance for a, b in pairs)


def _apart(a: torch.Tensor, b: torch.Tensor) -> float:
    """Return the largest difference, relative where the values are above 1; NaN is apart from everything."""
    return float((a - b).abs().max() / b.abs().max().clamp(min=1.0))
