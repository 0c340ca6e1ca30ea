"""What every architecture must bear: cut at any depth, frozen for certain, started from a seed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import nn

from harness.model.batch import call_logits, make_dummy_batch
from harness.model.cut import Cut, Manner, open_cut, prove_cut, run_to
from harness.model.frozen import choose_frozen, digest_frozen, fix_batch_norm, freeze, settle
from harness.model.load import reset_head
from harness.model.trunk import Trunk, count_parameters, find_trunk
from tests.contracts.architectures import ARCHITECTURES, SPEECH, Architecture

pytestmark = [
    pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda architecture: architecture.name),
    # torch 2.13 of WavLM, whose padding mask is boolean and whose position bias is not
    pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask:UserWarning"),
]


def make_batch(architecture: Architecture, model: nn.Module) -> dict[str, torch.Tensor]:
    """Two examples, of unequal length where the architecture knows lengths."""
    batch = make_dummy_batch(model)
    values = batch.get("input_values")
    if architecture.auto_class == SPEECH and values is not None and values.dim() == 2:
        lengths = torch.tensor([values.shape[1], values.shape[1] * 5 // 8])
        mask = torch.arange(values.shape[1]) < lengths[:, None]
        return {"input_values": values * mask, "attention_mask": mask.long()}
    return batch


def train_steps(model: nn.Module, batch: dict[str, torch.Tensor], steps: int = 2) -> None:
    """Train what may learn on two labels, in whatever mode the model is."""
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(steps):
        nn.functional.cross_entropy(call_logits(model, batch), torch.tensor([0, 1])).backward()
        optimizer.step()
        optimizer.zero_grad()


def some_depths(trunk: Trunk) -> list[int]:
    """All depths of a shallow model, the outer ones of a deep one."""
    return sorted({*range(min(3, trunk.blocks) + 1), trunk.blocks - 1, trunk.blocks})


def test_a_cut_model_answers_as_the_whole_one_at_every_depth(architecture: Architecture) -> None:
    model = architecture.build()
    trunk = find_trunk(model)
    batch = make_batch(architecture, model)
    with torch.no_grad():
        whole = call_logits(model, batch)
    states = run_to(model, trunk, batch, range(trunk.blocks + 1))
    manners = {depth: prove_cut(model, trunk, depth, batch) for depth in range(trunk.blocks + 1)}

    assert {depth for depth, manner in manners.items() if manner is None} == architecture.uncuttable
    for depth, manner in manners.items():
        if manner is None:
            continue
        with open_cut(model, trunk, depth, manner) as cut, torch.no_grad():
            logits = cut(states[depth], batch)["logits"]
        torch.testing.assert_close(logits, whole, rtol=0, atol=1e-5)
    with torch.no_grad():
        assert torch.equal(call_logits(model, batch), whole), "the cut was not closed"


def test_the_stored_tensor_is_what_a_cut_model_answers_from(architecture: Architecture) -> None:
    model = architecture.build()
    trunk = find_trunk(model)
    batch = make_batch(architecture, model)
    for depth in set(some_depths(trunk)) - architecture.uncuttable:
        states = run_to(model, trunk, batch, [depth])[depth]
        manner = prove_cut(model, trunk, depth, batch)
        assert manner is not None
        with open_cut(model, trunk, depth, manner) as cut, torch.no_grad():
            there = cut(states, batch)["logits"]
            swapped = cut(
                states + torch.randn(states.shape, generator=torch.Generator().manual_seed(0)), batch
            )
        assert not torch.equal(there, swapped["logits"])


def test_training_through_the_cut_is_training_the_whole_model(architecture: Architecture) -> None:
    """In train mode, with equal seeds: whatever is random below the cut would draw, and shift every mask above it."""
    model = architecture.build()
    trunk = find_trunk(model)
    batch = make_batch(architecture, model)
    for depth in set(some_depths(trunk)) - architecture.uncuttable:
        frozen = choose_frozen(trunk, depth, stem_frozen=True)
        manner = prove_cut(model, trunk, depth, batch)
        assert manner is not None
        states = run_to(model, trunk, batch, [depth])[depth]
        with freeze(model, frozen):
            model.train()
            settle(model, frozen)
            whole = gradients(model, lambda: call_logits(model, batch))
            with open_cut(model, trunk, depth, manner) as cut:
                model.train()
                settle(model, frozen)
                parts = gradients(model, partial(answer, cut, states, batch))
        assert not frozen.names & set(parts)
        assert any(trunk.level_of(name) == trunk.head for name in parts)
        assert set(parts) == set(whole)
        for name, gradient in parts.items():
            torch.testing.assert_close(gradient, whole[name], rtol=1e-4, atol=1e-5)


def answer(cut: Cut, states: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    return cut(states, batch)["logits"]


def gradients(model: nn.Module, call: Callable[[], torch.Tensor]) -> dict[str, torch.Tensor]:
    fix_batch_norm(model)
    model.zero_grad()
    with torch.random.fork_rng():
        torch.manual_seed(3)
        call().square().sum().backward()
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


def test_a_frozen_part_is_the_same_after_training(architecture: Architecture) -> None:
    model = architecture.build()
    trunk = find_trunk(model)
    batch = make_batch(architecture, model)
    for depth in some_depths(trunk):
        frozen = choose_frozen(trunk, depth, stem_frozen=True)
        trained = frozenset(trunk.levels) - frozen.names
        before = digest_frozen(model, frozen.names), digest_frozen(model, trained)
        with freeze(model, frozen):
            model.train()
            settle(model, frozen)
            fix_batch_norm(model)
            train_steps(model, batch)
        assert digest_frozen(model, frozen.names) == before[0]
        assert digest_frozen(model, trained) != before[1]


def test_every_part_of_a_model_has_one_level(architecture: Architecture) -> None:
    model = architecture.build()
    trunk = find_trunk(model)
    names = {name for name, _ in (*model.named_parameters(), *model.named_buffers())}
    assert set(trunk.levels) == names
    assert set(trunk.module_levels) == {path for path, _ in model.named_modules()}
    assert set(trunk.levels.values()) <= set(range(trunk.head + 1))
    sizes = count_parameters(model, trunk)
    assert sum(sizes) == sum(p.numel() for p in model.parameters())
    assert all(sizes[level] for level in (*range(trunk.blocks + 1), trunk.head)), sizes


def test_a_head_starts_from_its_seed_and_nothing_else_changes(architecture: Architecture) -> None:
    model = architecture.build()
    trunk = find_trunk(model)
    head = trunk.names_at(trunk.head) & {name for name, _ in model.named_parameters()}
    rest = frozenset(trunk.levels) - head
    before = digest_frozen(model, rest)
    state = torch.get_rng_state()
    digests = []
    for seed in (1, 2, 1):
        with torch.no_grad():
            for name in head:
                model.get_parameter(name).fill_(float("nan"))
        reset_head(model, head, seed)
        digests.append(digest_frozen(model, head))
        assert all(torch.isfinite(model.get_parameter(name)).all() for name in head)
    assert digests[0] == digests[2] != digests[1]
    assert digest_frozen(model, rest) == before
    assert torch.equal(torch.get_rng_state(), state)


def test_only_what_must_run_below_a_cut_does(architecture: Architecture) -> None:
    model = architecture.build()
    trunk = find_trunk(model)
    batch = make_batch(architecture, model)
    manners = {depth: prove_cut(model, trunk, depth, batch) for depth in some_depths(trunk)}
    dear = {manner for manner in manners.values() if manner is not None and manner is not Manner.STUB}
    assert dear == {Manner(name) for name in architecture.manners}
