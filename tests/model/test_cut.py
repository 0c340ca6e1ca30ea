"""The cut: what it restores, what it runs, and that its proof can fail."""

from __future__ import annotations

import pytest
import torch
import transformers
from torch import nn

from harness.errors import ModelError
from harness.model.batch import make_dummy_batch
from harness.model.cut import Manner, open_cut, prove_cut, run_to
from harness.model.trunk import find_trunk

SMALL = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24}


@pytest.fixture
def vit() -> nn.Module:
    return transformers.ViTForImageClassification(
        transformers.ViTConfig(image_size=16, patch_size=8, num_labels=3, **SMALL)
    ).eval()


def test_a_model_is_whole_again_after_an_exception_in_the_cut(vit: nn.Module) -> None:
    trunk = find_trunk(vit)
    modules = [id(module) for module in vit.modules()]
    names = list(vit.state_dict())
    with pytest.raises(RuntimeError, match="normalized_shape"), open_cut(vit, trunk, 2, Manner.STUB) as cut:  # noqa: PT012 - both must hold
        assert [id(module) for module in vit.modules()] != modules
        cut(torch.zeros(2), make_dummy_batch(vit))
    assert [id(module) for module in vit.modules()] == modules
    assert list(vit.state_dict()) == names
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in vit.modules())


def test_only_what_lies_above_a_cut_is_shown_to_an_optimizer(vit: nn.Module) -> None:
    trunk = find_trunk(vit)
    with open_cut(vit, trunk, 2, Manner.STUB):
        shown = {name for name, _ in vit.named_parameters()}
    assert {trunk.level_of(name) for name in shown} == {3, trunk.tail, trunk.head}


def test_neither_stem_nor_blocks_below_a_cut_run(vit: nn.Module) -> None:
    trunk = find_trunk(vit)
    batch = make_dummy_batch(vit)
    states = run_to(vit, trunk, batch, [2])[2]
    ran: list[str] = []
    for name, module in vit.named_modules():
        module.register_forward_pre_hook(
            lambda _, inputs, name=name: ran.append(name) if inputs and not inputs[0].is_meta else None
        )
    with open_cut(vit, trunk, 2, Manner.STUB) as cut:
        cut(states, batch)
    assert "vit.layers.2" in ran
    assert not [name for name in ran if name.startswith(("vit.layers.0", "vit.layers.1", "vit.embeddings"))]


def test_a_stubbed_stem_needs_only_the_shape_of_its_input(vit: nn.Module) -> None:
    trunk = find_trunk(vit)
    batch = make_dummy_batch(vit, examples=5)
    states = run_to(vit, trunk, batch, [1])[1]
    hollow = {"pixel_values": torch.zeros(()).expand(5, 3, 16, 16)}
    with open_cut(vit, trunk, 1, Manner.STUB) as cut, torch.no_grad():
        assert torch.equal(cut(states, hollow)["logits"], cut(states, batch)["logits"])


def test_a_run_ends_at_the_deepest_wanted_block(vit: nn.Module) -> None:
    trunk = find_trunk(vit)
    ran: list[str] = []
    for name, module in vit.named_modules():
        module.register_forward_hook(lambda _, __, ___, name=name: ran.append(name))
    taken = run_to(vit, trunk, make_dummy_batch(vit), [0, 1])
    assert set(taken) == {0, 1}
    assert "vit.layers.0" in ran
    assert "vit.layers.1" not in ran
    assert all(tensor.shape == (2, 5, 16) for tensor in taken.values())


def test_what_a_run_took_may_take_part_in_autograd(vit: nn.Module) -> None:
    trunk = find_trunk(vit)
    batch = make_dummy_batch(vit)
    vit.train()
    states = run_to(vit, trunk, batch, [3])[3]
    assert not states.requires_grad
    assert not states.is_inference()
    assert vit.training
    with open_cut(vit, trunk, 3, Manner.STUB) as cut:
        logits = cut(states, batch)["logits"]
    logits.sum().backward()
    assert vit.get_parameter("classifier.weight").grad is not None


def test_batches_of_any_size_go_through_one_open_cut(vit: nn.Module) -> None:
    trunk = find_trunk(vit)
    with open_cut(vit, trunk, 2, Manner.STUB) as cut, torch.no_grad():
        for examples in (1, 7):
            logits = cut(torch.zeros(examples, 5, 16), make_dummy_batch(vit, examples=examples))["logits"]
            assert logits.shape == (examples, 3)


def test_a_first_block_that_runs_below_a_cut_draws_nothing() -> None:
    """The mode it was left in by an earlier fit must not shift the random numbers of this one."""
    config = transformers.T5Config(
        vocab_size=40, d_model=16, num_layers=2, num_heads=2, d_kv=8, d_ff=24, decoder_start_token_id=0
    )
    model = transformers.T5ForSequenceClassification(config).train()
    trunk = find_trunk(model)
    batch = make_dummy_batch(model)
    states = run_to(model, trunk, batch, [2])[2]
    with open_cut(model, trunk, 2, Manner.FIRST) as cut:
        model.eval()
        before = torch.get_rng_state()
        cut(states, batch)
        assert torch.equal(torch.get_rng_state(), before)
    assert model.get_submodule("transformer.encoder.block.0").training


class Skipping(nn.Module):
    """A stand-in for architectures to come: its last block also sees what the first was given."""

    main_input_name = "pixel_values"

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.config = model.config
        self.encoder = Encoder()
        self.classifier = nn.Linear(8, 3)

    def forward(self, pixel_values: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"logits": self.classifier(self.encoder(pixel_values.mean((2, 3))))}


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(3, 8)
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        first = states = self.embed(pixels)
        for layer in self.layers:
            states = layer(states).tanh()
        out: torch.Tensor = states + first
        return out


def test_a_connection_past_the_blocks_is_found_by_the_proof(vit: nn.Module) -> None:
    """With zeros in place of the stem the sum is wrong; the proof says so and lets the stem run."""
    model = Skipping(vit)
    batch = make_dummy_batch(model)
    trunk = find_trunk(model)
    assert prove_cut(model, trunk, 2, batch) is Manner.STEM
    assert prove_cut(model, trunk, 0, batch) is Manner.STEM


def test_a_head_that_starts_at_zero_proves_nothing(vit: nn.Module) -> None:
    model = Skipping(vit)
    nn.init.zeros_(model.classifier.weight)
    assert prove_cut(model, find_trunk(model), 2, make_dummy_batch(model)) is Manner.STEM


def test_a_model_whose_answer_is_not_a_number_is_not_proven(vit: nn.Module) -> None:
    nn.init.constant_(vit.get_parameter("classifier.weight"), float("nan"))
    assert prove_cut(vit, find_trunk(vit), 2, make_dummy_batch(vit)) is None


def test_blocks_that_are_never_called_are_told(vit: nn.Module) -> None:
    class Unused(Encoder):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.embed(pixels)
            return out

    model = Skipping(vit)
    model.encoder = Unused()
    trunk = find_trunk(model)
    with pytest.raises(ModelError, match=r"nothing was seen to enter its blocks at depth \[2\]"):
        run_to(model, trunk, make_dummy_batch(model), [2])
    assert prove_cut(model, trunk, 2, make_dummy_batch(model)) is None
