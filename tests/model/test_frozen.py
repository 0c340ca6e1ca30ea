"""Frozen means frozen: in eval mode, by digest, and undone afterwards."""

from __future__ import annotations

import time

import pytest
import torch
import transformers
from torch import nn

from harness.model.batch import call_logits, make_dummy_batch
from harness.model.frozen import Frozen, choose_frozen, digest_frozen, fix_batch_norm, freeze, settle
from harness.model.trunk import Trunk, find_trunk


@pytest.fixture
def resnet() -> nn.Module:
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic", num_labels=2
    )
    return transformers.ResNetForImageClassification(config)


@pytest.fixture
def whisper() -> nn.Module:
    config = transformers.WhisperConfig(
        vocab_size=40,
        d_model=16,
        encoder_layers=2,
        encoder_attention_heads=2,
        encoder_ffn_dim=24,
        num_mel_bins=8,
        max_source_positions=20,
        dropout=0.5,
        encoder_layerdrop=0.9,
        pad_token_id=0,
    )
    return transformers.WhisperForAudioClassification(config)


def run(model: nn.Module, steps: int = 3) -> None:
    """Forward passes alone: BatchNorm's statistics need no gradient to move."""
    batch = make_dummy_batch(model)
    for _ in range(steps):
        call_logits(model, batch)


def digest_at(model: nn.Module, trunk: Trunk, depth: int) -> str:
    return digest_frozen(model, choose_frozen(trunk, depth, stem_frozen=True).names)


def test_without_settling_a_frozen_running_mean_moves_and_the_digest_sees_it(resnet: nn.Module) -> None:
    trunk = find_trunk(resnet)
    frozen = choose_frozen(trunk, 1, stem_frozen=True)
    before = digest_at(resnet, trunk, 1)
    with freeze(resnet, frozen):
        resnet.train()
        run(resnet)
        assert digest_at(resnet, trunk, 1) != before
        after = digest_at(resnet, trunk, 1)
        settle(resnet, frozen)
        run(resnet)
    assert digest_at(resnet, trunk, 1) == after


def test_batch_norm_in_the_trained_part_moves_unless_it_is_fixed(resnet: nn.Module) -> None:
    trunk = find_trunk(resnet)
    frozen = choose_frozen(trunk, 1, stem_frozen=True)
    trained = frozenset(trunk.levels) - frozen.names
    resnet.train()
    settle(resnet, frozen)
    fix_batch_norm(resnet)
    before = digest_frozen(resnet, trained)
    run(resnet)
    assert digest_frozen(resnet, trained) == before
    resnet.train()
    settle(resnet, frozen)
    run(resnet)
    assert digest_frozen(resnet, trained) != before


def test_fixed_batch_norm_still_learns_its_weights(resnet: nn.Module) -> None:
    resnet.train()
    fix_batch_norm(resnet)
    call_logits(resnet, make_dummy_batch(resnet)).sum().backward()
    norms = [module for module in resnet.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms
    assert all(norm.weight.grad is not None for norm in norms)


def test_what_is_random_in_the_containers_own_forward_is_frozen_with_the_stem(whisper: nn.Module) -> None:
    """Whisper drops embeddings and whole layers in the encoder's forward, by the encoder's own mode."""
    trunk = find_trunk(whisper)
    batch = make_dummy_batch(whisper)
    whisper.train()
    settle(whisper, choose_frozen(trunk, 2, stem_frozen=False))
    with torch.no_grad():
        assert torch.equal(call_logits(whisper, batch), call_logits(whisper, batch))
        whisper.train()
        assert not torch.equal(call_logits(whisper, batch), call_logits(whisper, batch))


def test_dropout_works_above_the_frozen_part_and_not_in_it(whisper: nn.Module) -> None:
    trunk = find_trunk(whisper)
    whisper.train()
    settle(whisper, choose_frozen(trunk, 1, stem_frozen=False))
    modes = {path: module.training for path, module in whisper.named_modules()}
    assert not any(modes[path] for path in modes if path.startswith("encoder.layers.0"))
    assert all(modes[path] for path in modes if path.startswith("encoder.layers.1"))
    assert not modes["encoder"]
    assert modes["classifier"]


def test_thawing_gives_back_what_learnt_before_and_no_more(whisper: nn.Module) -> None:
    fixed = "encoder.embed_positions.weight"  # sinusoids: never learnt
    learning = {name for name, p in whisper.named_parameters() if p.requires_grad}
    assert fixed not in learning
    trunk = find_trunk(whisper)
    for depth in (2, 0, 1):
        frozen = choose_frozen(trunk, depth, stem_frozen=True)
        with freeze(whisper, frozen):
            now = {name for name, p in whisper.named_parameters() if p.requires_grad}
            assert now == learning - frozen.names
        assert {name for name, p in whisper.named_parameters() if p.requires_grad} == learning


def test_depth_nought_with_a_trained_stem_freezes_nothing(resnet: nn.Module) -> None:
    frozen = choose_frozen(find_trunk(resnet), 0, stem_frozen=False)
    assert frozen == Frozen(names=frozenset(), modules=frozenset())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_digest_changes_with_one_bit_one_name_one_shape(dtype: torch.dtype) -> None:
    layer = nn.Linear(4, 4).to(dtype)
    digest = digest_frozen(layer, ["weight", "bias"])
    assert digest_frozen(layer, ["bias", "weight"]) == digest
    assert digest_frozen(layer, ["weight"]) != digest
    with torch.no_grad():
        layer.weight[0, 0] = torch.nextafter(layer.weight[0, 0], torch.tensor(9, dtype=dtype))
    assert digest_frozen(layer, ["weight", "bias"]) != digest
    flat, wide = nn.Module(), nn.Module()
    flat.register_buffer("a", torch.zeros(4))
    wide.register_buffer("a", torch.zeros(2, 2))
    assert digest_frozen(flat, ["a"]) != digest_frozen(wide, ["a"])


def test_a_digest_of_a_small_model_costs_little() -> None:
    model = nn.Module()
    model.register_buffer("weights", torch.zeros(22_000_000))
    times = []
    for _ in range(3):
        start = time.perf_counter()
        digest_frozen(model, ["weights"])
        times.append(time.perf_counter() - start)
    assert min(times) < 0.5  # 0.06 s with SHA extensions
