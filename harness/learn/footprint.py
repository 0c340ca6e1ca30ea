"""The footprint of a fit: how much memory it will need, reckoned before anything is loaded or trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from harness import plugins
from harness.candidate import Candidate, Space, build_candidate, list_depths
from harness.examples import Input
from harness.learn.bench import autocast
from harness.learn.fit import leave_trained
from harness.learn.opening import freezes_stem
from harness.learn.sources import Source, find_checkpoint, read_examples, task_type
from harness.modalities import find_modality
from harness.model.batch import call_logits
from harness.model.frozen import Frozen, choose_frozen, freeze
from harness.model.load import build_empty
from harness.model.trunk import find_trunk
from harness.spec.models import Compute
from harness.spec.ranges import Choice, Scalar, Span

FLOAT = 4  # bytes of a weight: models are trained in float32, whatever blocks compute in
MOMENTS = 2  # that AdamW keeps of each weight that trains
LONGEST = 4  # examples that are encoded to find the one that takes the most memory
# Both from the peaks of real fits on a CPU, in docs/decisions.md ("What a fit needs").
PROCESS_BYTES = 600_000_000  # Python, torch, transformers and what reading the data left on the heap
PEAK = 1.7  # a step's peak to what its forward keeps: gradients of activations, and pieces that malloc cannot reuse


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """The bytes that a fit needs, by what needs them. On a GPU all but process and data lie there."""

    process: int
    """Python with its libraries."""
    data: int
    """All examples of the task, encoded."""
    weights: int
    """The model; as much again for the copy that every fold starts from."""
    training: int
    """Gradients and the optimizer's moments, of what trains; weights in bfloat16 where blocks compute in it."""
    example: int
    """What a step takes for one example as long as the longest."""
    batch_size: int
    """Examples of one forward, if memory suffices."""

    @property
    def total(self) -> int:
        """All of it with whole batches."""
        return self.at(self.batch_size)

    @property
    def least(self) -> int:
        """All of it with one example at a time, below which a fit fails for lack of memory."""
        return self.at(1)

    def at(self, micro_batch: int) -> int:
        """Return the bytes with so many examples of one forward."""
        return self.process + self.data + 2 * self.weights + self.training + micro_batch * self.example


def estimate_memory(source: Source, task: str, backbone: str, candidate: Candidate) -> Footprint:
    """Return what a fit of a candidate needs, roughly; takes one forward of one example without any weights.

    Raises `DataError` or `ModelError` for what could not be trained on.
    """
    spec = source.spec()
    kind = task_type(spec, task)
    examples = read_examples(spec, task, base=source.base)
    folder = find_checkpoint(spec, backbone, base=source.base, offline=source.offline)
    modality = find_modality(kind.MODALITY)
    processor = modality.load_processor(folder, spec.tasks[task], examples.inputs)
    labels = plugins.find("targets", kind.TARGET).declare_labels(examples.targets)
    settings = plugins.find("targets", kind.TARGET).head_config(labels)
    model = build_empty(
        folder, kind.MODEL, device="cpu", **settings, **modality.adapt_config(folder, processor)
    )
    modality.adapt_model(model, processor)
    encoded = modality.encode(processor, sorted(examples.inputs, key=_weigh_input)[-LONGEST:])
    longest = encoded.lengths.argmax(keepdims=True)
    batch = encoded.batch(longest)
    trunk = find_trunk(model, batch=batch)
    frozen = choose_frozen(trunk, candidate.freeze_depth, stem_frozen=freezes_stem(spec, backbone, kind))
    frozen = leave_trained(model, trunk, frozen, candidate)
    once, twice = (
        _count_kept(model, frozen, encoded.batch(np.repeat(longest, rows)), spec.compute) for rows in (1, 2)
    )
    trained = sum(tensor.numel() for name, tensor in model.named_parameters() if name not in frozen.names)
    return Footprint(
        process=PROCESS_BYTES,
        data=sum(tensor.nbytes for tensor in batch.values()) * len(examples),
        weights=FLOAT * sum(tensor.numel() for tensor in model.state_dict().values()),
        training=FLOAT * (1 + MOMENTS) * trained + max(0, 2 * once - twice),
        example=int(PEAK * (twice - once)),
        batch_size=candidate.batch_size,
    )


def choose_largest(space: Space) -> Candidate:
    """Return the candidate of a space that needs the most memory: the least frozen, in the largest batches."""
    values = dict(space.values)
    drawn = {name: _take_end(value) for name, value in values.items() if isinstance(value, (Span, Choice))}
    return build_candidate(space, drawn | {"freeze_depth": min(list_depths(values["freeze_depth"]))})


def _take_end(value: Span | Choice) -> Scalar:
    end = value.high if isinstance(value, Span) else max(value.options, key=_as_number)
    assert end is not None
    return end


def _as_number(option: Scalar) -> float:
    """Return what options are compared by; words are all alike, for they weigh nothing."""
    return 0.0 if isinstance(option, str) else float(option)


def _weigh_input(item: Input) -> int:
    """Return the letters of a text; pictures and sounds of one task are all made alike."""
    if isinstance(item, str):
        return len(item)
    return sum(map(len, item)) if isinstance(item, tuple) else 0


def _count_kept(model: nn.Module, frozen: Frozen, batch: Mapping[str, torch.Tensor], compute: Compute) -> int:
    """Return the bytes that a forward keeps for the backward pass, float32 weights not counted."""
    own = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    model.train()
    with (
        freeze(model, frozen),
        autocast(torch.device("cpu"), compute),
        torch.random.fork_rng(devices=[]),
        torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
    ):
        logits = call_logits(model, batch)
    del logits  # what it keeps must live until here: an address that is used again would be counted once
    return sum(kept.values())
