"""What a fit needs, before anything is loaded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.candidate import resolve_space
from harness.learn.footprint import FLOAT, Footprint, choose_largest, estimate_memory
from tests.learn.tiny import MATERIALS, build_source, make_candidate, open_tiny


@pytest.mark.parametrize("kind", MATERIALS)
def test_weights_and_what_trains_are_counted_as_the_bench_has_them(
    request: pytest.FixtureRequest, kind: str
) -> None:
    source = build_source(request, kind)
    bench = open_tiny(source)
    found = {
        depth: estimate_memory(source, "task", "tiny", make_candidate(depth))
        for depth in range(bench.trunk.blocks + 1)
    }
    sizes = {name: tensor.numel() for name, tensor in bench.model.named_parameters()}
    for depth, footprint in found.items():
        assert footprint.weights == FLOAT * sum(tensor.numel() for tensor in bench.pristine.values())
        trained = sum(
            size
            for name, size in sizes.items()
            if not bench.trunk.freezes(bench.trunk.level_of(name), depth, stem_frozen=bench.stem_frozen)
        )
        kept = footprint.training - 3 * FLOAT * trained
        assert 0 <= kept < 0.2 * footprint.weights  # of a step, whatever its number of examples
    steps = [footprint.example for footprint in found.values()]
    assert steps == sorted(steps, reverse=True)  # what is frozen keeps nothing for a backward pass
    assert steps[0] > 1.2 * steps[-1]


def test_the_memory_grows_with_the_batch_and_with_the_longest_text(request: pytest.FixtureRequest) -> None:
    source = build_source(request, task={"max_tokens": 8})
    long = build_source(request)
    short, whole = (estimate_memory(each, "task", "tiny", make_candidate(0)) for each in (source, long))
    assert short.example < whole.example
    assert short.total - short.least == 7 * short.example
    assert replace(short, batch_size=9).total == short.total + short.example
    assert isinstance(whole, Footprint)


def test_the_largest_candidate_freezes_least_in_the_largest_batches(request: pytest.FixtureRequest) -> None:
    arm = {"freeze_depth": {"int": [1, "all"]}, "batch_size": {"choice": [8, 32, 16]}}
    spec = build_source(request, arms={"a": arm | {"head_lr": {"log": [1e-4, 1e-2]}}}).spec()
    largest = choose_largest(resolve_space(spec.arms["a"], blocks=2))
    assert (largest.freeze_depth, largest.batch_size) == (1, 32)
