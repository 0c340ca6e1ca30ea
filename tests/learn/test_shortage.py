"""A fit for which memory does not suffice: the same steps in smaller passes, and what it says where none fits."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from harness.learn.bench import Bench
from harness.learn.fit import fit_candidate, start_passes
from harness.learn.loop import WHOLE, OutOfMemory, Passes, compute_logits, repeat_smaller
from harness.learn.opening import open_bench
from harness.learn.sources import Source
from harness.learn.work import _Scorer
from harness.record.scores import FoldScore
from tests.learn.tiny import (
    MATERIALS,
    SEEDS,
    all_rows,
    build_source,
    copy_weights,
    make_candidate,
    make_job,
    open_tiny,
)

# Attention does not hear the bias of its keys: the gradient is 0 but for rounding, of which AdamW makes steps.
IDLE = ("key.bias", "k_proj.bias")
FAR_TOO_MUCH = 2**52  # bytes for each row: no address space has them


@pytest.mark.parametrize(("most", "sizes"), [(None, [9]), (8, [5, 4]), (4, [3, 3, 3]), (2, [2, 2, 2, 2, 1])])
def test_a_batch_is_cut_evenly_into_passes(most: int | None, sizes: list[int]) -> None:
    batch = np.arange(9)
    parts = Passes(most=most).cut(batch)
    assert [len(part) for part in parts] == sizes
    assert np.concatenate(parts).tolist() == batch.tolist()


def test_a_pass_never_has_fewer_examples_than_it_needs() -> None:
    for size in range(1, 20):
        for most in range(2, 20):
            parts = Passes(most=most, least=2).cut(np.arange(size))
            assert min(map(len, parts)) >= min(size, 2)
            assert max(map(len, parts)) <= most + 1


def test_passes_are_halved_down_to_the_least() -> None:
    seen, passes = [], Passes(least=2)
    while (smaller := passes.halve(20)) is not None:
        passes = smaller
        seen.append(passes.most)
    assert seen == [10, 5, 2]


def learn(
    bench: Bench, depth: int, passes: Passes, **values: Any
) -> tuple[np.ndarray, dict[str, torch.Tensor]]:
    """Return the logits of all rows after a fit on most of them, whose last batch is ragged, and the weights."""
    rows = all_rows(bench)
    candidate = make_candidate(depth, dropout=0.0, epochs=1, label_smoothing=0.1, **values)
    with fit_candidate(bench, candidate, rows[: len(rows) - 3], SEEDS, passes=passes) as fitted:
        logits = compute_logits(bench.model, fitted.forward, rows, bench.lengths)
    return logits, copy_weights(bench)


@pytest.mark.parametrize("shelf", ["float32", "off"])
@pytest.mark.parametrize("kind", [*MATERIALS, "resnet"])
def test_smaller_passes_learn_what_whole_batches_do(
    request: pytest.FixtureRequest, kind: str, shelf: str
) -> None:
    """Half and quarter batches of 8 at every depth, with class weights and smoothing, a ragged batch at the end."""
    checkpoint = None
    if kind == "resnet":
        kind, checkpoint = "image-classification", request.getfixturevalue("tiny_resnet")
    weights = {"class_weights": "balanced"} if kind.endswith("classification") else {}
    bench = open_tiny(build_source(request, kind, checkpoint=checkpoint, compute={"shelf": shelf}))
    for depth in range(bench.trunk.blocks + 1):
        whole, expected = learn(bench, depth, WHOLE, **weights)
        for most in (4, 2):
            logits, found = learn(bench, depth, Passes(most=most), **weights)
            np.testing.assert_allclose(logits, whole, rtol=0, atol=1e-5)
            apart = {
                name: float((found[name] - tensor).abs().max())
                for name, tensor in expected.items()
                if not name.endswith(IDLE)
            }
            assert max(apart.values()) <= 1e-5, (depth, most, max(apart, key=lambda name: apart[name]))


def test_only_a_batch_norm_that_trains_needs_two_examples(request: pytest.FixtureRequest) -> None:
    resnet = request.getfixturevalue("tiny_resnet")
    bench = open_tiny(build_source(request, "image-classification", checkpoint=resnet))
    assert start_passes(bench, make_candidate(0)) == WHOLE
    assert start_passes(bench, make_candidate(0, batch_norm="trained")) == Passes(least=2)
    text = open_tiny(build_source(request))
    assert start_passes(text, make_candidate(0, batch_norm="trained")) == WHOLE


def test_everything_of_a_failed_attempt_is_unreachable_before_the_next(
    request: pytest.FixtureRequest,
) -> None:
    bench = open_tiny(build_source(request))
    held: list[weakref.ref[torch.Tensor]] = []

    def run(passes: Passes) -> int | None:
        alive = [reference for reference in held if reference() is not None]
        assert not alive
        assert all(parameter.grad is None for parameter in bench.model.parameters())
        if passes.most == 2:
            return passes.most

        def watch(forward: Any, epoch: int) -> bool:
            gradients = [p.grad for p in bench.model.parameters() if p.grad is not None]
            moments = [
                value for each in gc.get_objects() if type(each) is torch.optim.AdamW
                for state in each.state.values() for value in state.values()
            ]  # fmt: skip
            assert gradients
            assert moments
            held.extend(weakref.ref(tensor) for tensor in (*gradients, *moments, forward(np.arange(3))))
            torch.empty(FAR_TOO_MUCH, dtype=torch.int8)
            raise AssertionError("not reached")

        with fit_candidate(bench, make_candidate(1), all_rows(bench), SEEDS, watch=watch, passes=passes):
            return None

    assert repeat_smaller(run, WHOLE, batch_size=8, make_room=gc.collect) == 2
    assert held


def score_with_room_for(
    source: Source, most: int, *, training: bool = True, **values: Any
) -> tuple[FoldScore, list[int]]:
    """Return a fold's score where no more than `most` examples fit into a forward, and the sizes of all forwards."""
    scorer, sizes = _Scorer(source), list[int]()
    bench = scorer._benches["task", "tiny"] = open_bench(source, "task", "tiny")

    def allocate(module: torch.nn.Module, args: tuple[object, ...], kwargs: dict[str, torch.Tensor]) -> None:
        size = len(next(iter(kwargs.values())))
        sizes.append(size)
        if size > most and (module.training or not training):
            torch.empty(size * FAR_TOO_MUCH, dtype=torch.int8)

    bench.model.register_forward_pre_hook(allocate, with_kwargs=True)
    return scorer.score(make_job(make_candidate(**{"depth": 1, "dropout": 0.0} | values))), sizes


def probabilities(score: FoldScore) -> np.ndarray:
    assert score.predictions is not None
    assert score.predictions.probabilities is not None
    return score.predictions.probabilities


@pytest.mark.parametrize(("shelf", "stopping"), [("float32", None), ("off", {"patience": 1})])
def test_a_fold_without_room_is_repeated_in_halves_and_says_so(
    request: pytest.FixtureRequest, shelf: str, stopping: dict[str, int] | None
) -> None:
    source = build_source(request, compute={"shelf": shelf})
    values: dict[str, Any] = {"batch_size": 20} | ({"early_stopping": stopping} if stopping else {})
    plain, _ = score_with_room_for(source, 1000, **values)
    tight, sizes = score_with_room_for(source, 9, training=False, **values)
    assert (plain.state, plain.micro_batch) == ("ok", None)
    assert (tight.state, tight.micro_batch, tight.steps) == ("ok", 5, plain.steps)
    np.testing.assert_allclose(probabilities(tight), probabilities(plain), rtol=0, atol=1e-5)
    assert {20, 10, 5} <= set(sizes)
    assert tight.precision == "float32"


def test_an_evaluation_without_room_is_halved_and_changes_nothing(request: pytest.FixtureRequest) -> None:
    source = build_source(request, compute={"shelf": "off"})
    plain, _ = score_with_room_for(source, 1000)
    tight, _ = score_with_room_for(source, 17, training=False)
    assert (tight.state, tight.micro_batch) == ("ok", None)
    np.testing.assert_allclose(probabilities(tight), probabilities(plain), rtol=0, atol=1e-5)


def test_a_fold_for_which_one_example_is_too_much_is_out_of_memory(request: pytest.FixtureRequest) -> None:
    score, sizes = score_with_room_for(build_source(request), 0)
    assert score.state == "oom"
    assert score.error is not None
    assert score.error.startswith("out of memory with 1 example at once: ")
    assert "allocate" in score.error
    assert [size for size in sizes if size <= 8][-4:] == [8, 4, 2, 1]
    assert score.traceback is None


def test_a_batch_norm_that_trains_stops_at_two(request: pytest.FixtureRequest) -> None:
    resnet = request.getfixturevalue("tiny_resnet")
    source = build_source(request, "image-classification", checkpoint=resnet)
    score, _ = score_with_room_for(source, 0, depth=0, batch_norm="trained")
    assert score.state == "oom"
    assert score.error is not None
    assert "with 2 examples at once" in score.error


def test_a_bench_that_does_not_fit_takes_the_place_of_the_others(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = build_source(request)
    scorer = _Scorer(source)
    other = scorer._benches["other", "tiny"] = open_tiny(source)
    left = weakref.ref(other.model)
    del other

    def open_in_little_room(*args: Any) -> Bench:
        if left() is not None:
            torch.empty(FAR_TOO_MUCH, dtype=torch.int8)
        return open_bench(*args)

    monkeypatch.setattr("harness.learn.work.open_bench", open_in_little_room)
    assert scorer.score(make_job(make_candidate(2))).state == "ok"


def test_what_lacks_no_memory_is_not_repeated() -> None:
    tried: list[Passes] = []

    def run(passes: Passes) -> None:
        tried.append(passes)
        raise RuntimeError("shapes")

    with pytest.raises(RuntimeError, match="shapes"):
        repeat_smaller(run, WHOLE, batch_size=8, make_room=gc.collect)
    assert tried == [WHOLE]
    never: Callable[[Passes], object] = lambda passes: torch.empty(FAR_TOO_MUCH, dtype=torch.int8)  # noqa: E731
    with pytest.raises(OutOfMemory, match="with 2 examples at once"):
        repeat_smaller(never, replace(WHOLE, least=2), batch_size=5, make_room=gc.collect)
