"""The training loop: AdamW over what trains, in length buckets, with everything random seeded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

Forward = Callable[[np.ndarray], torch.Tensor]
"""Rows to logits, (batch, outputs)."""
Loss = Callable[[torch.Tensor, np.ndarray], torch.Tensor]
"""Logits and rows to a scalar."""

BUCKET = 8  # batches whose rows are sorted by length together: padding falls from 1.7 to 1.1 of the tokens
EVALUATION_BATCH = 64


class Diverged(Exception):  # noqa: N818 - an outcome of training, not an error of the program
    """The loss stopped being finite."""


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
) -> Trained:
    """Train on `rows` for `epochs`, or until `stop(epoch)` says so after an epoch; raises `Diverged`.

    `set_modes` puts the model into training before each epoch. The order of rows depends on `order_seed`, the epoch
    and the batch size alone, so that arms see the same data.
    """
    trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    step = 0
    for epoch in range(1, epochs + 1):
        generator = np.random.default_rng([order_seed, epoch])
        set_modes()
        for batch in draw_batches(rows, lengths, batch_size, generator):
            step += 1
            value = loss(forward(batch), batch)
            if not torch.isfinite(value):
                rate = max(group["lr"] for group in optimizer.param_groups)
                raise Diverged(f"loss not finite at step {step} (lr {rate:.1e})")
            optimizer.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call]  # torch's own is untyped
            nn.utils.clip_grad_norm_(trained, clip)
            optimizer.step()
            schedule.step()
        if stop is not None and stop(epoch):
            return Trained(epochs=epoch, steps=step)
    return Trained(epochs=epochs, steps=step)


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
    """Return the logits of all rows in their order, (rows, outputs) float32, in eval mode; the last batch included."""
    model.eval()
    order = np.argsort(lengths[rows], kind="stable")
    parts = []
    with torch.inference_mode():
        for start in range(0, len(rows), EVALUATION_BATCH):
            parts.append(forward(rows[order[start : start + EVALUATION_BATCH]]).float().cpu().numpy())
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
