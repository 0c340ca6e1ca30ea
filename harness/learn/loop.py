"""The training loop: AdamW over what trains, in length buckets, with everything random seeded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
import torch
from torch import nn

from harness.model.memory import first_line, is_out_of_memory, run_in_batches

Result = TypeVar("Result")

Forward = Callable[[np.ndarray], torch.Tensor]
"""Rows to logits, (batch, outputs)."""
Loss = Callable[[torch.Tensor, np.ndarray], torch.Tensor]
"""Logits and rows to a scalar, the mean over the rows of what each of them adds alone."""

BUCKET = 8  # batches whose rows are sorted by length together: padding falls from 1.7 to 1.1 of the tokens
EVALUATION_BATCH = 64


class Diverged(Exception):  # noqa: N818 - an outcome of training, not an error of the program
    """A loss, a gradient, an output or a score is not finite."""


class OutOfMemory(Exception):  # noqa: N818 - an outcome of training, not an error of the program
    """Memory does not suffice for the smallest pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passes:
    """How a batch is cut where memory does not suffice for all of it: forward and backward passes of one step."""

    most: int | None = None
    """Examples of one pass; None: the whole batch."""
    least: int = 1
    """Examples that a pass needs: two where a batch norm trains."""

    def cut(self, batch: np.ndarray) -> list[np.ndarray]:
        """Return the parts of a batch, of like sizes."""
        if self.most is None:
            return [batch]
        return np.array_split(batch, min(-(-len(batch) // self.most), max(1, len(batch) // self.least)))

    def halve(self, batch_size: int) -> Passes | None:
        """Return passes of half as many examples, None where they would be fewer than a pass needs."""
        most = (self.most or batch_size) // 2
        return replace(self, most=most) if most >= self.least else None


WHOLE = Passes()


def repeat_smaller(
    run: Callable[[Passes], Result], first: Passes, *, batch_size: int, make_room: Callable[[], None]
) -> Result:
    """Return what `run` makes, in passes of half as many examples as long as memory does not suffice.

    `make_room` is called before each further try. Raises `OutOfMemory` where the smallest pass fails.
    """
    passes = first
    while True:
        smaller = passes.halve(batch_size)
        try:
            return run(passes)
        except (MemoryError, RuntimeError) as fault:
            if not is_out_of_memory(fault):
                raise
            if smaller is None:
                few = "1 example" if passes.most == 1 else f"{passes.most or batch_size} examples"
                raise OutOfMemory(f"out of memory with {few} at once: {first_line(fault)}") from None
        # Out here nothing refers to the failed attempt any more: the fault held its frames, they its tensors.
        make_room()
        passes = smaller


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a training came to."""

    epochs: int
    steps: int


def train(
    set_modes: Callable[[], None],
    forward: Forward,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    *,
    rows: np.ndarray,
    lengths: np.ndarray,
    batch_size: int,
    clip: float,
    epochs: int,
    order_seed: int,
    stop: Callable[[int], bool] | None,
    passes: Passes = WHOLE,
) -> Trained:
    """Train on `rows` for `epochs`, or until `stop(epoch)` says so after an epoch; raises `Diverged`.

    `set_modes` puts the model into training before each epoch. The order of rows depends on `order_seed`, the epoch
    and the batch size alone, so that arms see the same data. A step is one batch, in however many `passes`.
    """
    trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    step = 0
    for epoch in range(1, epochs + 1):
        generator = np.random.default_rng([order_seed, epoch])
        set_modes()
        for batch in draw_batches(rows, lengths, batch_size, generator):
            step += 1
            optimizer.zero_grad(set_to_none=True)
            what: Literal["loss", "gradient"] | None = _add_gradients(
                forward, loss, passes.cut(batch), examples=len(batch)
            )
            if what is None and not torch.isfinite(nn.utils.clip_grad_norm_(trained, clip)):
                what = "gradient"
            if what is not None:
                rate = max(group["lr"] for group in optimizer.param_groups)
                raise Diverged(f"{what} not finite at step {step} (lr {rate:.1e})")
            optimizer.step()
            schedule.step()
        if stop is not None and stop(epoch):
            return Trained(epochs=epoch, steps=step)
    return Trained(epochs=epochs, steps=step)


def _add_gradients(
    forward: Forward, loss: Loss, parts: Sequence[np.ndarray], *, examples: int
) -> Literal["loss"] | None:
    """Add up the gradients of the mean loss over all parts; return what is not finite, None where all is."""
    for part in parts:
        value = loss(forward(part), part) * (len(part) / examples)  # of a whole batch exactly the loss itself
        if not torch.isfinite(value):
            return "loss"
        value.backward()  # type: ignore[no-untyped-call]  # torch's own is untyped
    return None


def count_steps(rows: int, batch_size: int, epochs: int) -> int:
    """Return how many steps `train` takes, for the schedule."""
    bucket = BUCKET * batch_size
    return epochs * sum(
        len(_cut(np.arange(min(bucket, rows - start)), batch_size)) for start in range(0, rows, bucket)
    )


def draw_batches(
    rows: np.ndarray, lengths: np.ndarray, batch_size: int, generator: np.random.Generator
) -> Iterator[np.ndarray]:
    """Yield all rows once, in random batches of similar lengths."""
    shuffled = generator.permutation(rows)
    bucket = BUCKET * batch_size
    batches = []
    for start in range(0, len(shuffled), bucket):
        part = shuffled[start : start + bucket]
        batches += _cut(part[np.argsort(lengths[part], kind="stable")], batch_size)
    for place in generator.permutation(len(batches)):
        yield batches[place]


def compute_logits(model: nn.Module, forward: Forward, rows: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the logits of all rows in their order, (rows, outputs) float32, in eval mode; the last batch included.

    In smaller batches where memory does not suffice: they agree with larger ones to 1e-5.
    """
    model.eval()
    order = np.argsort(lengths[rows], kind="stable")

    def compute(batch: np.ndarray) -> np.ndarray:
        values: np.ndarray = forward(batch).float().cpu().numpy()
        return values

    with torch.inference_mode():
        parts = [part for _, part in run_in_batches(compute, rows[order], size=EVALUATION_BATCH)]
    logits = np.concatenate(parts)
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    ordered: np.ndarray = logits[back]
    return ordered


def _cut(rows: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Cut rows into batches; a last batch of one joins its neighbour, for a batch norm cannot train on one row."""
    batches = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [np.concatenate(batches[-2:])]
    return batches
