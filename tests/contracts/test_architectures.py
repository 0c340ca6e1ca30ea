"""What every architecture must bear: cut at any depth, frozen for certain, started from a seed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import pytest
import torch
from torch import nn

from harness.model.batch import call_logits, make_dummy_batch
from harness.model.cut import Cut, Manner, open_cut, prove_cut, run_to
from harness.model.frozen import choose_frozen, digest_frozen, fix_batch_norm, freeze, settle
from harness.model.load import redraw, reset_head
from harness.model.trunk import Trunk, count_parameters, find_trunk
from tests.contracts.architectures import ARCHITECTURES, SPEECH, Architecture

pytestmark = [
    pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda architecture: architecture.name),
    # torch 2.13 of WavLM, whose padding mask is boolean and whose position bias is not
    pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask:UserWarning"),
]


@dataclass(frozen=True, slots=True)
class Subject:
    """An architecture's tiny model, with what is known of it at some depths."""

    model: nn.Module
    trunk: Trunk
    batch: dict[str, torch.Tensor]
    manners: dict[int, Manner | None]
    states: dict[int, torch.Tensor]


_SUBJECTS: dict[str, Subject] = {}


@pytest.fixture
def subject(architecture: Architecture) -> Subject:
    """The architecture's subject, proven once; its model is the test's own."""
    if architecture.name not in _SUBJECTS:
        model = architecture.build()
        trunk = find_trunk(model)
        batch = make_batch(architecture, model)
        # All depths of a shallow model, the outer ones of a deep one.
        depths = sorted({*range(min(3, trunk.blocks) + 1), trunk.blocks - 1, trunk.blocks})
        manners = {depth: prove_cut(model, trunk, depth, batch) for depth in depths}
        states = run_to(model, trunk, batch, depths)
        _SUBJECTS[architecture.name] = Subject(model, trunk, batch, manners, states)
    kept = _SUBJECTS[architecture.name]
    return replace(kept, model=copy.deepcopy(kept.model))


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


def test_a_cut_model_answers_as_the_whole_one_or_says_that_it_cannot(
    architecture: Architecture, subject: Subject
) -> None:
    model, batch = subject.model, subject.batch
    assert {depth for depth, manner in subject.manners.items() if manner is None} == architecture.uncuttable
    with torch.no_grad():
        whole = call_logits(model, batch)
        for depth, manner in cuttable(subject):
            states = subject.states[depth]
            with open_cut(model, subject.trunk, depth, manner) as cut:
                torch.testing.assert_close(cut(states, batch)["logits"], whole, rtol=0, atol=1e-5)
                noise = torch.randn(states.shape, generator=torch.Generator().manual_seed(0))
                assert not torch.equal(cut(states + noise, batch)["logits"], whole), (
                    "the stored tensor is unused"
                )
        assert torch.equal(call_logits(model, batch), whole), "the cut was not closed"


def test_only_what_must_run_below_a_cut_does(architecture: Architecture, subject: Subject) -> None:
    dear = {manner for _, manner in cuttable(subject) if manner is not Manner.STUB}
    assert dear == {Manner(name) for name in architecture.manners}


def test_training_through_the_cut_is_training_the_whole_model(subject: Subject) -> None:
    """In train mode, with equal seeds: what is random below the cut would draw, and shift every mask above it."""
    model, trunk, batch = subject.model, subject.trunk, subject.batch
    for depth, manner in cuttable(subject):
        frozen = choose_frozen(trunk, depth, stem_frozen=True)
        with freeze(model, frozen):
            model.train()
            settle(model, frozen)
            whole = gradients(model, partial(call_logits, model, batch))
            with open_cut(model, trunk, depth, manner) as cut:
                model.train()
                settle(model, frozen)
                parts = gradients(model, partial(answer, cut, subject.states[depth], batch))
        assert not frozen.names & set(parts)
        assert any(trunk.level_of(name) == trunk.head for name in parts)
        assert set(parts) == set(whole)
        for name, gradient in parts.items():
            torch.testing.assert_close(gradient, whole[name], rtol=1e-4, atol=1e-5)


def cuttable(subject: Subject) -> list[tuple[int, Manner]]:
    return [(depth, manner) for depth, manner in subject.manners.items() if manner is not None]


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


def test_a_frozen_part_is_the_same_after_training(subject: Subject) -> None:
    """At every depth, cut or not: an architecture that cannot be cut trains the ordinary way."""
    model, trunk, batch = subject.model, subject.trunk, subject.batch
    for depth in subject.manners:
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


def test_every_part_of_a_model_has_one_level(subject: Subject) -> None:
    model, trunk = subject.model, subject.trunk
    names = {name for name, _ in (*model.named_parameters(), *model.named_buffers())}
    assert set(trunk.levels) == names
    assert set(trunk.module_levels) == {path for path, _ in model.named_modules()}
    assert set(trunk.levels.values()) <= set(range(trunk.head + 1))
    sizes = count_parameters(model, trunk)
    assert sum(sizes) == sum(p.numel() for p in model.parameters())
    assert all(sizes[level] for level in (*range(trunk.blocks + 1), trunk.head)), sizes


def test_a_head_starts_from_its_seed_and_nothing_else_changes(subject: Subject) -> None:
    model, trunk = subject.model, subject.trunk
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


def test_a_redrawn_network_keeps_nothing_of_its_weights_and_trains(subject: Subject) -> None:
    """What was pretrained stands 5 above what any seed draws: one that were left would still be there."""
    model, batch = subject.model, subject.batch
    state = torch.get_rng_state()
    drawn = []
    for seed in (1, 2, 1):
        with torch.no_grad():
            for tensor in learned(model).values():
                tensor.add_(5.0)
        before = {name: tensor.clone() for name, tensor in learned(model).items()}
        redraw(model, seed)
        drawn.append({name: tensor.clone() for name, tensor in learned(model).items()})
        assert all(torch.isfinite(tensor).all() for tensor in drawn[-1].values())
        assert [name for name, tensor in before.items() if torch.equal(tensor, drawn[-1][name])] == []
    assert torch.equal(torch.get_rng_state(), state)
    assert [name for name, tensor in drawn[0].items() if not torch.equal(tensor, drawn[2][name])] == []
    random = {name for name, tensor in drawn[0].items() if not torch.equal(tensor, drawn[1][name])}
    for name, parameter in model.named_parameters():
        if name in drawn[0] and parameter.dim() > 1 and name not in random:
            # Class tokens and position tables of some, which start from 0, and WavLM's gates, from 1.
            assert parameter.unique().numel() == 1, name
    digest = digest_frozen(model, frozenset(drawn[0]))
    model.train()
    train_steps(model, batch, steps=1)
    assert digest_frozen(model, frozenset(drawn[0])) != digest


def learned(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return the parameters that learn, and the running statistics of batch norms."""
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    return parameters | {name: buffer for name, buffer in model.named_buffers() if "running_" in name}
