"""A control starts from random weights: nothing that was pretrained reaches it, and its trials are paired."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from harness.learn.bench import Bench
from harness.learn.fit import Seeds, _start
from harness.learn.work import _derive_seeds
from harness.record.scores import FoldJob
from tests.learn.test_poison import train
from tests.learn.tiny import (
    MATERIALS,
    assert_same_weights,
    build_source,
    copy_weights,
    make_candidate,
    make_job,
    open_tiny,
)

SEEDS = Seeds(head=1, order=2, dropout=3, network=4)


def make_control(**values: Any) -> FoldJob:
    return make_job(
        make_candidate(0, batch_norm="trained", dropout=0.0), arm="scratch", kind="control", **values
    )


def spoil(bench: Bench) -> Bench:
    """Return the bench with other pretrained weights below the head."""
    spoilt = {
        name: tensor + 0.1 if tensor.is_floating_point() and name not in bench.fresh else tensor
        for name, tensor in bench.pristine.items()
    }
    content = f"{int(bench.content, 16) ^ 1:x}"  # of the shelf
    return replace(bench, pristine=spoilt, content=content, opened={}, manners={}, features=None, digests={})


@pytest.mark.parametrize("kind", MATERIALS)
def test_pretrained_weights_reach_arms_and_no_control(request: pytest.FixtureRequest, kind: str) -> None:
    """Speech freezes its stem at depth 0, and shelves what it says: a control does neither."""
    bench = open_tiny(build_source(request, kind, backbone={"stem": "frozen"}))
    score, weights = train(bench, make_control())
    _, again = train(spoil(bench), make_control())
    assert_same_weights(weights, again)
    arm = make_job(make_candidate(0, dropout=0.0))
    _, tuned = train(bench, arm)
    _, otherwise = train(spoil(bench), arm)
    assert any(not torch.equal(tensor, otherwise[name]) for name, tensor in tuned.items())
    assert score.trainable_parameters == sum(p.numel() for p in bench.model.parameters() if p.requires_grad)
    assert score.shelf_hit is None


def start_weights(bench: Bench, seeds: Seeds) -> dict[str, torch.Tensor]:
    """Return the weights that a fit begins with."""
    assert not _start(bench, seeds)
    return copy_weights(bench)


def test_all_trials_of_a_fold_start_from_the_same_weights(request: pytest.FixtureRequest) -> None:
    bench = open_tiny(build_source(request))
    first = start_weights(bench, SEEDS)
    assert_same_weights(first, start_weights(bench, replace(SEEDS, dropout=9, order=9)))
    other = start_weights(bench, replace(SEEDS, network=9))
    matrices = {n for n, p in bench.model.named_parameters() if p.dim() > 1}
    assert {n for n in matrices if torch.equal(first[n], other[n])} == matrices & bench.fresh, (
        "the head is that of all arms"
    )


def test_trials_share_the_seed_of_the_network_and_folds_and_arms_do_not(
    request: pytest.FixtureRequest,
) -> None:
    bench = open_tiny(build_source(request))
    seeds = {
        (trial, repeat, fold): _derive_seeds(
            bench, make_control(trial=trial, repeat=repeat, fold=fold)
        ).network
        for trial in (0, 1)
        for repeat in (0, 1)
        for fold in (0, 1)
    }
    assert len(set(seeds.values())) == 4
    assert all(seeds[0, repeat, fold] == seeds[1, repeat, fold] for repeat in (0, 1) for fold in (0, 1))
    assert _derive_seeds(bench, make_job(make_candidate(0))).network is None


def test_an_arm_after_a_control_is_as_it_was_before(request: pytest.FixtureRequest) -> None:
    checkpoint = request.getfixturevalue("tiny_resnet")
    bench = open_tiny(build_source(request, "image-classification", checkpoint=checkpoint))
    arm = make_job(make_candidate(1))
    before, weights = train(bench, arm)
    _, control = train(bench, make_control())
    assert any("running" in name and not torch.equal(control[name], weights[name]) for name in weights)
    after, again = train(bench, arm)
    assert_same_weights(weights, again)
    assert (after.valid_score, after.frozen_proof) == (before.valid_score, before.frozen_proof)


def test_statistics_of_no_data_are_soon_forgotten_and_the_momentum_is_the_models_own_again(
    request: pytest.FixtureRequest,
) -> None:
    checkpoint = request.getfixturevalue("tiny_resnet")
    bench = open_tiny(build_source(request, "image-classification", checkpoint=checkpoint))
    norms = [module for module in bench.model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for module in norms:
        module.momentum = 0.0
    train(bench, make_control())
    assert all(module.momentum == 0.0 for module in norms)
    assert all(
        not torch.equal(module.running_mean, torch.zeros_like(module.running_mean)) for module in norms
    )
    train(bench, make_job(make_candidate(0, batch_norm="trained")))
    statistics = {name: tensor for name, tensor in copy_weights(bench).items() if "running_" in name}
    assert all(torch.equal(tensor, bench.pristine[name]) for name, tensor in statistics.items()), (
        "of arms they stay"
    )
