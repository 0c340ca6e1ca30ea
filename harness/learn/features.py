"""Features: what the untouched backbone makes of each example, one vector a row."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter

import numpy as np
import torch

from harness.errors import ModelError
from harness.learn.bench import FILL_BATCH, Bench
from harness.learn.loop import Diverged, Forward
from harness.model.batch import evaluating
from harness.model.memory import run_in_batches


def compute_features(bench: Bench) -> np.ndarray:
    """Return the pooled output of the pretrained base model, (rows, width) float32; kept on bench and shelf.

    Pooled as the spec's `pooling` says: the mean over unmasked positions or over a map, the first position, or the
    model's own pooled output. Raises `Diverged` where they are not finite.
    """
    if bench.features is None:
        features = _find_features(bench)
        broken = np.flatnonzero(~np.isfinite(features).all(axis=1))
        if len(broken):
            raise Diverged(
                f"features of the untouched backbone not finite, for example of '{bench.examples.ids[broken[0]]}'"
            )
        bench.features = features
    return bench.features


def _find_features(bench: Bench) -> np.ndarray:
    bench.reset(head_seed=0)
    place = f"pooled-{bench.pooling}"
    # The forward is opened before the shelf is asked: filling takes the same claim as reading does.
    with bench.open_forward(bench.trunk.blocks) as forward:
        if bench.shelf is None:
            return np.stack([vector for _, vector in sorted(_pool_rows(bench, forward), key=itemgetter(0))])
        stored = bench.shelf.take(
            bench.content,
            place,
            (),
            lambda _: ((row, {place: vector[None]}) for row, vector in _pool_rows(bench, forward)),
        )
    return stored.batch(np.arange(len(bench.examples)))[:, 0].numpy()


def _pool_rows(bench: Bench, forward: Forward) -> list[tuple[int, np.ndarray]]:
    """Return (row, vector) for every row, (width,) each."""
    seen: list[Mapping[str, object]] = []
    base = bench.model.get_submodule(bench.trunk.base)
    handle = base.register_forward_hook(lambda module, args, output: seen.append(output))
    order = np.argsort(bench.lengths, kind="stable")

    def run(rows: np.ndarray) -> np.ndarray:
        seen.clear()
        forward(rows)
        pooled = pool(seen[0], bench.batch(rows).get("attention_mask"), bench.pooling)
        vectors: np.ndarray = pooled.float().cpu().numpy()
        return vectors

    try:
        with evaluating(bench.model), torch.no_grad():
            batches = list(run_in_batches(run, order, size=FILL_BATCH))
    finally:
        handle.remove()
    return [pair for rows, vectors in batches for pair in zip(rows.tolist(), vectors, strict=True)]


def pool(output: Mapping[str, object], mask: torch.Tensor | None, pooling: str) -> torch.Tensor:
    """Return one vector an example, (batch, width), of a base model's output.

    `last_hidden_state` is (batch, positions, width), or a map of (batch, channels, height, width). `mask` is
    (batch, tokens or samples), of which a position may cover several. Raises `ModelError` where the model has
    nothing of that kind.
    """
    states = output["last_hidden_state"]
    assert isinstance(states, torch.Tensor)
    if pooling == "model":
        own = output.get("pooler_output")
        if not isinstance(own, torch.Tensor):
            raise ModelError(
                "pooling: model - this backbone has no pooled output of its own; use mean or cls"
            )
        return own.flatten(1)
    if states.ndim == 4:
        if pooling == "cls":
            raise ModelError(
                "pooling: cls - this backbone makes maps, which have no first position; use mean"
            )
        return states.mean(dim=(2, 3))
    if pooling == "cls":
        return states[:, 0]
    if mask is None:
        return states.mean(dim=1)
    weights = _stretch(mask, states.shape[1]).to(states.dtype)[:, :, None]  # (batch, positions, 1)
    return (states * weights).sum(dim=1) / weights.sum(dim=1)


def _stretch(mask: torch.Tensor, positions: int) -> torch.Tensor:
    """Return a mask of inputs as one of positions, (batch, positions) bool: each position stands for equally many."""
    if mask.shape[1] == positions:
        return mask > 0
    kept = (mask.sum(dim=1, keepdim=True) * positions / mask.shape[1]).round().clamp(min=1)  # (batch, 1)
    return torch.arange(positions, device=mask.device) < kept
