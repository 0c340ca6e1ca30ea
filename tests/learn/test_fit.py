"""One fit: what trains, what stays, and what each value of a candidate does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from harness.candidate import Candidate
from harness.learn.bench import Bench
from harness.learn.fit import Seeds, ThawError, _set_dropout, choose_epochs, fit_candidate, measure_loss
from harness.learn.loop import Forward, compute_logits
from harness.model.batch import call_logits, make_dummy_batch
from harness.model.frozen import fix_batch_norm
from tests.contracts.architectures import ARCHITECTURES, Architecture
from tests.learn.tiny import (
    MATERIALS,
    SEEDS,
    all_rows,
    assert_same_weights,
    build_source,
    copy_weights,
    make_candidate,
    open_tiny,
)


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Bench:
    return open_tiny(build_source(request))


def fit(bench: Bench, candidate: Candidate, seeds: Seeds = SEEDS) -> dict[str, torch.Tensor]:
    """Return the weights that a fit on all rows ends with."""
    with fit_candidate(bench, candidate, all_rows(bench), seeds):
        pass
    return copy_weights(bench)


def differ(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, tensor in first.items() if not torch.equal(tensor, second[name])}


@pytest.mark.parametrize("shelf", ["float32", "off"])
@pytest.mark.parametrize("kind", MATERIALS)
def test_what_lies_above_the_depth_moves_and_nothing_else(
    request: pytest.FixtureRequest, kind: str, shelf: str
) -> None:
    bench = open_tiny(build_source(request, kind, compute={"shelf": shelf}))
    trunk = bench.trunk
    parameters = dict(bench.model.named_parameters())
    for depth in range(trunk.blocks + 1):
        bench.reset(SEEDS.head)
        before = copy_weights(bench)
        with fit_candidate(bench, make_candidate(depth), all_rows(bench), SEEDS) as fitted:
            frozen = {
                name
                for name in before
                if trunk.freezes(trunk.level_of(name), depth, stem_frozen=bench.stem_frozen)
            }
            counted = fitted.trainable_parameters
        moved = differ(before, copy_weights(bench))
        assert not moved & frozen
        trained = set(parameters) - frozen
        assert {trunk.level_of(name) for name in moved} == {trunk.level_of(name) for name in trained}
        assert counted == sum(parameters[name].numel() for name in trained)
        assert all(parameter.requires_grad for parameter in parameters.values())


def test_every_fold_has_the_hash_of_what_was_frozen(bench: Bench) -> None:
    proofs = []
    for depth in (0, 1, 2, 1):
        with fit_candidate(bench, make_candidate(depth), all_rows(bench), SEEDS) as fitted:
            proofs.append(fitted.frozen_proof)
    assert proofs[1] == proofs[3]
    assert len(set(proofs)) == 3


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("part", ["parameter", "buffer"])
def test_something_frozen_that_moves_is_found(request: pytest.FixtureRequest, depth: int, part: str) -> None:
    checkpoint = request.getfixturevalue("tiny_resnet")
    bench = open_tiny(build_source(request, "image-classification", checkpoint=checkpoint))
    tensors = bench.model.named_parameters() if part == "parameter" else bench.model.named_buffers()
    victim = next(
        tensor for name, tensor in tensors if bench.trunk.level_of(name) == 1 and tensor.is_floating_point()
    )

    def move(forward: Forward, epoch: int) -> bool:
        with torch.no_grad():
            victim[(0,) * victim.ndim].add_(1e-3)
        return False

    with (
        pytest.raises(ThawError, match=f"depth {depth}"),
        fit_candidate(bench, make_candidate(depth), all_rows(bench), SEEDS, watch=move),
    ):
        pass


def test_a_fit_repeats_to_the_bit_and_follows_each_of_its_seeds(bench: Bench) -> None:
    candidate = make_candidate(1, dropout=0.2)
    first = fit(bench, candidate)
    fit(bench, make_candidate(0, dropout=0.5))
    assert_same_weights(first, fit(bench, candidate))
    for changed in ({"head": 9}, {"order": 9}, {"dropout": 9}):
        assert differ(first, fit(bench, candidate, replace(SEEDS, **changed)))
    still = make_candidate(1, dropout=0.0)
    assert_same_weights(fit(bench, still), fit(bench, still, replace(SEEDS, dropout=9)))


@pytest.mark.parametrize(
    "values",
    [
        {"head_lr": 0.02},
        {"backbone_lr": 0.002},
        {"layer_decay": 0.5},
        {"weight_decay": 0.5},
        {"dropout": 0.3},
        {"label_smoothing": 0.2},
        {"epochs": 3},
        {"batch_size": 16},
        {"warmup": 0.5},
        {"schedule": "cosine"},
        {"clip": 0.01},
    ],
    ids=lambda values: next(iter(values)),
)
def test_every_value_of_a_candidate_changes_what_is_learned(bench: Bench, values: dict[str, Any]) -> None:
    base = {"dropout": 0.0, "warmup": 0.1}
    plain = fit(bench, make_candidate(0, **base))
    assert differ(plain, fit(bench, make_candidate(0, **base | values)))
    assert_same_weights(plain, fit(bench, make_candidate(0, **base)))


@pytest.mark.parametrize("kind", [kind for kind in MATERIALS if kind.endswith("classification")])
def test_balanced_classes_count_by_the_rows_that_are_trained_on(
    request: pytest.FixtureRequest, kind: str
) -> None:
    """Of even classes each example weighs 1 and nothing changes; of uneven ones the rare class is learned better."""
    bench = open_tiny(build_source(request, kind))
    first, second = (np.flatnonzero(bench.targets == label)[:8] for label in (0, 1))
    values = {"dropout": 0.0, "epochs": 4, "label_smoothing": 0.1}
    plain, weighed = (make_candidate(1, class_weights=weights, **values) for weights in ("none", "balanced"))
    for rows, uneven in (
        (np.concatenate([first, second]), False),
        (np.concatenate([first, second[:2]]), True),
    ):
        shares = []
        for candidate in (plain, weighed):
            with fit_candidate(bench, candidate, rows, SEEDS) as fitted:
                logits = compute_logits(bench.model, fitted.forward, rows, bench.lengths)
            shares.append(bench.target.predict(logits)[:, 1].mean())
        if uneven:
            assert shares[1] > shares[0] + 0.02
            continue
        assert shares[1] == pytest.approx(shares[0], abs=1e-4)


def test_what_a_model_draws_from_numpy_is_seeded_too(request: pytest.FixtureRequest) -> None:
    """SpecAugment does, and LayerDrop of adapters; the random state of whoever calls is left alone."""
    bench = open_tiny(build_source(request, "audio-classification"))
    candidate, seeds = make_candidate(0, dropout=0.0), SEEDS

    def draw(module: torch.nn.Module, args: object, output: torch.Tensor) -> torch.Tensor:
        return output * np.random.uniform(0.5, 1.5) if module.training else output

    handle = bench.model.get_submodule("classifier").register_forward_hook(draw)
    try:
        state = np.random.get_state()[1].copy()
        first = fit(bench, candidate, seeds)
        assert np.array_equal(np.random.get_state()[1], state)
        assert_same_weights(first, fit(bench, candidate, seeds))
        assert differ(first, fit(bench, candidate, replace(seeds, dropout=9)))
    finally:
        handle.remove()


def test_batch_norm_statistics_stay_or_follow_the_batches(request: pytest.FixtureRequest) -> None:
    checkpoint = request.getfixturevalue("tiny_resnet")
    bench = open_tiny(build_source(request, "image-classification", checkpoint=checkpoint))
    statistics = {name for name, _ in bench.model.named_buffers() if "running" in name}
    assert {bench.trunk.level_of(name) for name in statistics} == {0, 1, 2}
    before = copy_weights(bench)
    for depth in range(3):
        assert not differ(before, fit(bench, make_candidate(depth))) & statistics
        moved = differ(before, fit(bench, make_candidate(depth, batch_norm="trained"))) & statistics
        above = {
            n
            for n in statistics
            if not bench.trunk.freezes(bench.trunk.level_of(n), depth, stem_frozen=False)
        }
        assert moved == above


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda architecture: architecture.name)
def test_a_dropout_of_nothing_is_nothing_and_the_checkpoint_gets_its_own_back(
    architecture: Architecture,
) -> None:
    """For every architecture, wherever it keeps its rates; what it has besides dropout (LayerDrop, DropPath) is off."""
    model = architecture.build()
    for module in model.modules():
        for name in ("drop_prob", "layerdrop", "drop_path"):
            if isinstance(vars(module).get(name), float):
                setattr(module, name, 0.0)
    for name in ("layerdrop", "encoder_layerdrop", "apply_spec_augment", "mask_time_prob"):
        if name in vars(model.config):
            setattr(model.config, name, type(getattr(model.config, name))(0))
    batch = make_dummy_batch(model)
    own = [
        {name: value for name, value in vars(module).items() if "drop" in name} for module in model.modules()
    ]
    with torch.no_grad():
        whole = call_logits(model, batch)
        answers = []
        for rate in (0.0, 0.5):
            with _set_dropout(model, rate), torch.random.fork_rng():
                torch.manual_seed(0)
                model.train()
                fix_batch_norm(model)
                answers.append(call_logits(model, batch))
    assert torch.equal(answers[0], whole)
    if architecture.name not in ("resnet", "convnext", "regnet"):  # they have none
        assert not torch.equal(answers[1], whole)
    assert own == [
        {name: value for name, value in vars(module).items() if "drop" in name} for module in model.modules()
    ]


class Watched(Sequence[np.ndarray]):
    """Arrays that remember which of them were looked at."""

    def __init__(self, arrays: Sequence[np.ndarray]) -> None:
        self._arrays = arrays
        self.seen: set[int] = set()

    def __getitem__(self, row: Any) -> Any:
        self.seen.add(int(row))
        return self._arrays[row]

    def __len__(self) -> int:
        return len(self._arrays)


def test_early_stopping_reads_nothing_but_the_training_part(request: pytest.FixtureRequest) -> None:
    bench = open_tiny(build_source(request, compute={"shelf": "off"}))
    watched = Watched(bench.encoded.columns["input_ids"])
    bench.encoded = replace(bench.encoded, columns={**bench.encoded.columns, "input_ids": watched})
    rows = np.arange(0, 60, 2)
    inner = np.arange(30) % 5 == 0
    watched.seen.clear()
    epochs = choose_epochs(
        bench, make_candidate(1, epochs=4, early_stopping={"patience": 2}), rows, inner, SEEDS
    )
    assert watched.seen == set(rows.tolist())
    assert 1 <= epochs <= 4


def test_early_stopping_takes_the_epoch_of_least_loss(bench: Bench) -> None:
    rows, inner = all_rows(bench), np.arange(60) % 4 == 0
    losses: list[float] = []

    def watch(forward: Forward, epoch: int) -> bool:
        logits = compute_logits(bench.model, forward, rows[inner], bench.lengths)
        losses.append(measure_loss(bench, logits, rows[inner]))
        return False

    stopping = make_candidate(0, epochs=6, head_lr=0.3, backbone_lr=0.3, early_stopping={"patience": 2})
    with fit_candidate(bench, stopping, rows[~inner], SEEDS, watch=watch):
        pass
    best = choose_epochs(bench, stopping, rows, inner, SEEDS)
    patient = next((e for e in range(1, 7) if e - (int(np.argmin(losses[:e])) + 1) >= 2), 6)
    assert best == int(np.argmin(losses[:patient])) + 1
    assert len(set(losses)) == 6
    eager = replace(stopping, patience=1)
    assert choose_epochs(bench, eager, rows, inner, SEEDS) <= best
