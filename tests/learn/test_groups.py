"""Parameter groups and schedules: who learns at which rate, when."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from harness.learn.groups import build_schedule, group_parameters
from tests.learn.tiny import make_candidate

LEVELS = {"stem": 0, "block1": 1, "block2": 2, "tail": 3, "head": 4}  # two blocks


def make_groups(**values: float) -> dict[int, tuple[float, float]]:
    """Return (rate, weight decay) by the parameter, for a matrix and a vector at each level."""
    named = [
        (f"{part}.{kind}", nn.Parameter(torch.zeros(shape)))
        for part in LEVELS
        for kind, shape in (("weight", (2, 2)), ("bias", (2,)))
    ]
    candidate = make_candidate(0, head_lr=0.1, backbone_lr=0.01, **values)
    groups = group_parameters(named, candidate, level_of=lambda name: LEVELS[name.split(".")[0]], blocks=2)
    found = {id(p): (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}  # type: ignore[attr-defined]
    assert len(found) == len(named)
    return {name: found[id(parameter)] for name, parameter in named}  # type: ignore[misc]


def test_rates_shrink_with_every_block_below_the_top_one() -> None:
    rates = {name: rate for name, (rate, _) in make_groups(layer_decay=0.5).items()}
    for kind in ("weight", "bias"):
        assert rates[f"head.{kind}"] == 0.1
        assert rates[f"tail.{kind}"] == rates[f"block2.{kind}"] == 0.01
        assert rates[f"block1.{kind}"] == pytest.approx(0.005)
        assert rates[f"stem.{kind}"] == pytest.approx(0.0025)


def test_only_matrices_decay() -> None:
    decays = {name: decay for name, (_, decay) in make_groups(weight_decay=0.3).items()}
    assert {decay for name, decay in decays.items() if name.endswith("weight")} == {0.3}
    assert {decay for name, decay in decays.items() if name.endswith("bias")} == {0.0}


def factors(steps: int, **values: object) -> list[float]:
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    schedule = build_schedule(optimizer, make_candidate(0, **values), steps=steps)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0, abs=1e-9)
    return found


def test_a_linear_schedule_rises_over_the_warm_up_and_falls_to_nothing() -> None:
    rates = factors(20, warmup=0.2, schedule="linear")
    assert rates[:5] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])
    assert all(a - b == pytest.approx(1 / 16) for a, b in pairwise(rates[4:]))


def test_a_cosine_schedule_falls_slowly_at_both_ends() -> None:
    rates = factors(20, warmup=0.0, schedule="cosine")
    assert rates == pytest.approx([0.5 + 0.5 * math.cos(math.pi * step / 20) for step in range(20)], abs=1e-6)


def test_without_warm_up_the_first_step_has_the_full_rate() -> None:
    assert factors(5, warmup=0.0)[0] == 1.0
    assert factors(1, warmup=0.5) == [1.0]
