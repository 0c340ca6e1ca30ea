"""One fit: a candidate trained on some rows of a bench, with the proof that what was frozen stayed as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from harness import plugins
from harness.candidate import Candidate
from harness.learn.bench import Bench
from harness.learn.groups import build_schedule, group_parameters
from harness.learn.loop import WHOLE, Diverged, Forward, Passes, Trained, compute_logits, count_steps, train
from harness.model.frozen import Frozen, choose_frozen, digest_frozen, fix_batch_norm, freeze, settle
from harness.model.trunk import Trunk

MOMENTUM = 0.1  # torch's own, of a BatchNorm


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeds:
    """What the random parts of a fit follow from."""

    head: int
    order: int
    dropout: int
    network: int | None = None  # None: the network starts from its pretrained weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A trained model, still on its bench: valid until the next fit begins."""

    trained: Trained
    forward: Forward
    trainable_parameters: int
    frozen_proof: str


class ThawError(AssertionError):
    """What was frozen has changed: a bug of ours."""


@contextmanager
def fit_candidate(
    bench: Bench,
    candidate: Candidate,
    rows: np.ndarray,
    seeds: Seeds,
    *,
    watch: Callable[[Forward, int], bool] | None = None,
    passes: Passes = WHOLE,
) -> Iterator[Fitted]:
    """Train and give the result, to be asked for logits before the block ends.

    It starts from the pretrained weights, or from random ones that follow from `seeds.network`; then nothing is frozen
    that the candidate does not freeze, and the shelf takes no part.
    `watch(forward, epoch)` is called after each epoch and may stop the training. `passes` say how a batch is cut where
    memory does not suffice for all of it. Raises `Diverged`.
    """
    model, depth = bench.model, candidate.freeze_depth
    pretrained = _start(bench, seeds)
    frozen = choose_frozen(bench.trunk, depth, stem_frozen=bench.stem_frozen and pretrained)
    frozen = leave_trained(model, bench.trunk, frozen, candidate)
    before = bench.digest(frozen.names) if pretrained else digest_frozen(model, frozen.names)
    with (
        _set_dropout(model, candidate.dropout),
        nullcontext() if pretrained else _hasten_batch_norm(model),
        _open_forward(bench, depth, pretrained=pretrained) as run,
        freeze(model, frozen),
        _seeded(seeds.dropout),
    ):
        trained = _run_loop(bench, candidate, rows, seeds, frozen, run, watch, passes)
        yield Fitted(
            trained=trained,
            forward=run,
            trainable_parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
            frozen_proof=before,
        )
    if digest_frozen(model, frozen.names) != before:
        raise ThawError(f"frozen parameters or buffers changed at depth {depth}")


def _start(bench: Bench, seeds: Seeds) -> bool:
    """Give the model the weights that a fit begins with, and say whether they are the pretrained ones."""
    if seeds.network is None:
        bench.reset(seeds.head)
        return True
    bench.reset_to_random(seeds.network, seeds.head)
    return False


def _open_forward(bench: Bench, depth: int, *, pretrained: bool) -> AbstractContextManager[Forward]:
    return bench.open_forward(depth) if pretrained else nullcontext(bench.run_whole)


@contextmanager
def _hasten_batch_norm(model: nn.Module) -> Iterator[None]:
    """Let the statistics of every BatchNorm follow the batches at least as fast as torch's own do.

    They begin as those of no data, of which EfficientNet's momentum of 0.01 leaves more than half after sixty steps.
    """
    own = [(module, module.momentum) for module in model.modules() if isinstance(module, _BatchNorm)]
    for module, momentum in own:
        module.momentum = None if momentum is None else max(momentum, MOMENTUM)
    try:
        yield
    finally:
        for module, momentum in own:
            module.momentum = momentum


def _run_loop(
    bench: Bench,
    candidate: Candidate,
    rows: np.ndarray,
    seeds: Seeds,
    frozen: Frozen,
    run: Forward,
    watch: Callable[[Forward, int], bool] | None,
    passes: Passes,
) -> Trained:
    model = bench.model
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    groups = group_parameters(named, candidate, level_of=bench.trunk.level_of, blocks=bench.trunk.blocks)
    # Fused: 0.83 of the CPU time of a fit at depth 0 of 23 M parameters, against torch's own choice.
    optimizer = torch.optim.AdamW(groups, fused=True)
    steps = count_steps(len(rows), candidate.batch_size, candidate.epochs)
    weights = _weigh_classes(bench, candidate, rows)

    def set_modes() -> None:
        model.train()
        settle(model, frozen)
        if candidate.batch_norm == "fixed":
            fix_batch_norm(model)

    try:
        return train(
            set_modes,
            run,
            partial(_compute_loss, bench, smoothing=candidate.label_smoothing, class_weights=weights),
            optimizer,
            build_schedule(optimizer, candidate, steps=steps),
            rows=rows,
            lengths=bench.lengths,
            batch_size=candidate.batch_size,
            clip=candidate.clip,
            epochs=candidate.epochs,
            order_seed=seeds.order,
            stop=None if watch is None else lambda epoch: watch(run, epoch),
            passes=passes,
        )
    finally:
        # The parameters outlive the fit, and would keep their gradients.
        optimizer.zero_grad(set_to_none=True)


def start_passes(bench: Bench, candidate: Candidate) -> Passes:
    """Return how a fit begins: with the whole batch. A batch norm that trains cannot go down to one example."""
    norms = candidate.batch_norm == "trained" and any(
        isinstance(m, _BatchNorm) for m in bench.model.modules()
    )
    return Passes(least=2) if norms else WHOLE


def choose_epochs(
    bench: Bench,
    candidate: Candidate,
    rows: np.ndarray,
    inner: np.ndarray,
    seeds: Seeds,
    *,
    passes: Passes = WHOLE,
) -> int:
    """Return the number of epochs with the least loss on the `inner` rows of the training part, by early stopping.

    Classes weigh in that loss as they do in training, by the rows that are trained on.
    `inner` marks the rows of `rows` that are held out, (rows,) bool. The fold that scores takes no part.
    """
    patience = candidate.patience
    assert patience is not None
    held_out, kept = rows[inner], rows[~inner]
    losses: list[float] = []
    weights = _weigh_classes(bench, candidate, kept)

    def watch(forward: Forward, epoch: int) -> bool:
        logits = compute_logits(bench.model, forward, held_out, bench.lengths)
        losses.append(measure_loss(bench, logits, held_out, class_weights=weights))
        return epoch - _find_best(losses) >= patience

    with fit_candidate(bench, candidate, kept, seeds, watch=watch, passes=passes):
        return _find_best(losses)


def _find_best(losses: list[float]) -> int:
    """Return the epoch of the least loss; one that is no number is never the best, raises `Diverged` if all are."""
    if not np.isfinite(losses).any():
        raise Diverged(f"the loss on the rows held out is not finite after {len(losses)} epochs")
    return int(np.argmin(np.where(np.isfinite(losses), losses, np.inf))) + 1


def measure_loss(
    bench: Bench, logits: np.ndarray, rows: np.ndarray, *, class_weights: np.ndarray | None = None
) -> float:
    """Return the mean loss of some rows' logits, without smoothing; None: all examples count alike."""
    return float(
        _compute_loss(bench, torch.from_numpy(logits), rows, smoothing=0.0, class_weights=class_weights)
    )


def _compute_loss(
    bench: Bench,
    logits: torch.Tensor,
    rows: np.ndarray,
    *,
    smoothing: float,
    class_weights: np.ndarray | None,
) -> torch.Tensor:
    known = torch.from_numpy(bench.targets[rows]).to(logits.device)
    weighed = {} if class_weights is None else {"class_weights": class_weights}  # numbers have no classes
    value: torch.Tensor = bench.target.loss(logits, known, smoothing=smoothing, **weighed)
    return value


def _weigh_classes(bench: Bench, candidate: Candidate, rows: np.ndarray) -> np.ndarray | None:
    """Return what an example of each class counts in the loss, by the rows that are trained on; None: all alike."""
    if candidate.class_weights == "none":
        return None
    weights: np.ndarray | None = bench.target.balance(bench.targets[rows], bench.labels)
    return weights


def leave_trained(model: nn.Module, trunk: Trunk, frozen: Frozen, candidate: Candidate) -> Frozen:
    """Return what does not learn: the frozen, and what the candidate's method leaves untrained above the depth."""
    above = frozenset(name for name, _ in model.named_parameters()) - frozen.names
    head = above & trunk.names_at(trunk.head)
    method = plugins.find("methods", candidate.method)
    trained: frozenset[str] = method.choose_trained(above, head=head, candidate=candidate)
    return replace(frozen, names=frozen.names | (above - trained))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Start torch's and numpy's randomness from a seed, for models draw from both; the caller's goes on as before."""
    state = np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            np.random.seed(seed % 2**32)
            yield
    finally:
        np.random.set_state(state)


@contextmanager
def _set_dropout(model: nn.Module, rate: float | None) -> Iterator[None]:
    """Set every dropout to `rate`, None leaves the checkpoint's own; frozen parts stay in eval mode anyway.

    A dropout is a layer, or a plain number called `dropout`, `attention_dropout` or so that a forward reads from its
    module. A model without any (a ResNet) stays as it is.
    """
    own = [(module, name, value) for module in model.modules() for name, value in _list_dropouts(module)]
    if rate is not None:
        for module, name, _ in own:
            setattr(module, name, rate)
    try:
        yield
    finally:
        for module, name, value in own:
            setattr(module, name, value)


def _list_dropouts(module: nn.Module) -> list[tuple[str, float]]:
    if isinstance(module, nn.Dropout):
        return [("p", module.p)]
    return [
        (name, value)
        for name, value in vars(module).items()
        if "dropout" in name and isinstance(value, float)
    ]
