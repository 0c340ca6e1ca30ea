"""Every tuning method, found by being there, keeps the contract."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
import torch

from harness import plugins
from harness.candidate import build_candidate, resolve_space
from harness.learn.fit import fit_candidate
from harness.spec.models import spec_model
from harness.spec.options import ArmOptions
from tests.learn.tiny import BARE, FAST, SEEDS, all_rows, build_source, copy_weights, open_tiny

METHODS = plugins.names("methods")


@pytest.fixture(params=METHODS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def method(name: str) -> ModuleType:
    return plugins.find("methods", name)


def test_its_options_name_it(method: ModuleType, name: str) -> None:
    hint = get_type_hints(method.Options)["method"]
    assert method.__doc__
    assert issubclass(method.Options, ArmOptions)
    assert get_origin(hint) is Literal
    assert get_args(hint) == (name,)
    assert all(field.description for field in method.Options.model_fields.values())


def test_a_spec_s_arm_can_choose_it(name: str) -> None:
    spec = spec_model().model_validate_json(json.dumps(BARE | {"arms": {"a": {"method": name}}}))
    assert isinstance(spec.arms["a"], plugins.find("methods", name).Options)


def test_it_trains_some_of_what_lies_above_the_depth(method: ModuleType) -> None:
    head = frozenset({"classifier.weight", "classifier.bias"})
    above = head | {"encoder.layer.1.weight", "encoder.layer.1.bias"}
    arm = method.Options.model_validate({"method": method.__name__.rpartition(".")[2].replace("_", "-")})
    candidate = build_candidate(resolve_space(arm, 2), {})
    chosen = method.choose_trained(above, head=head, candidate=candidate)
    assert isinstance(chosen, frozenset)
    assert chosen
    assert chosen <= above


def test_what_it_chooses_moves_and_what_it_does_not_stays(
    request: pytest.FixtureRequest, name: str, method: ModuleType
) -> None:
    bench = open_tiny(build_source(request))
    arm = method.Options.model_validate({"method": name, "freeze_depth": 1} | FAST)
    candidate = build_candidate(resolve_space(arm, bench.trunk.blocks), {})
    bench.reset(SEEDS.head)
    before = copy_weights(bench)
    with fit_candidate(bench, candidate, all_rows(bench), SEEDS):
        pass
    moved = {part for part, tensor in copy_weights(bench).items() if not torch.equal(tensor, before[part])}
    above = frozenset(part for part, _ in bench.model.named_parameters() if bench.trunk.level_of(part) > 1)
    head = above & bench.trunk.names_at(bench.trunk.head)
    assert moved
    assert moved <= method.choose_trained(above, head=head, candidate=candidate)
