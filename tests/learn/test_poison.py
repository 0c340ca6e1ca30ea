"""Held-out rows are replaced once folds and digests are fixed: what was learned must not change by a bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from harness.examples import Input, Media
from harness.learn import work
from harness.learn.baselines import FITS, Split
from harness.learn.bench import Bench
from harness.modalities import find_modality
from harness.modalities.pictures import encode_picture
from harness.modalities.sounds import encode_sound
from harness.record.scores import FoldJob, FoldScore
from tests.learn.tiny import (
    MATERIALS,
    assert_same_weights,
    build_source,
    copy_weights,
    make_candidate,
    make_job,
    open_tiny,
)

BLANK = FoldScore(study="5a", trial=0, repeat=0, fold=0, state="error")
ARMS: dict[str, dict[str, Any]] = {
    "full": {"depth": 0, "dropout": 0.1, "label_smoothing": 0.1},
    "half": {"depth": 1, "layer_decay": 0.5},
    "head": {"depth": 2},
    "stopped early": {"depth": 1, "epochs": 4, "early_stopping": {"patience": 1, "share": 0.3}},
}


def poison(bench: Bench, rows: np.ndarray) -> Bench:
    """Return a bench with other inputs of equal length and other targets in `rows`; folds and digests are as before."""
    inputs = list(bench.examples.inputs)
    targets = bench.targets.copy()
    for row in rows:
        inputs[row] = _replace(inputs[row], int(row))
        targets[row] = 1 - targets[row]
    encoded = find_modality(bench.modality).encode(bench.processor, inputs)
    poisoned = replace(
        bench,
        examples=replace(bench.examples, inputs=tuple(inputs)),
        encoded=encoded,
        targets=targets,
        content=f"{int(bench.content, 16) ^ int(rows.sum() + 1):x}",
        opened={},
        manners={},
        features=None,
    )
    assert all(np.array_equal(poisoned.split(r), bench.split(r)) for r in (0, 1))
    if encoded.padding is not None:
        assert np.array_equal(encoded.lengths, bench.lengths), "the poison must not change a length"
    return poisoned


def _replace(item: Input, seed: int) -> Input:
    draw = np.random.default_rng(seed)
    if isinstance(item, str):
        words = item.split(" ")
        return " ".join([*draw.choice(["so", "a", "day", "bright", "cold"], len(words) - 1), words[-1]])
    assert isinstance(item, Media)
    if item.name.endswith(".png") or (item.file is not None and item.file.suffix == ".png"):
        return Media(data=encode_picture(draw.integers(0, 255, (16, 16, 3)).astype(np.uint8)), name="poison")
    return Media(data=encode_sound(draw.uniform(-0.5, 0.5, 1600), rate=16_000), name="poison")


def train(bench: Bench, job: FoldJob) -> tuple[FoldScore, dict[str, torch.Tensor]]:
    score = work._score_fold(bench, job, ("log-loss" if bench.labels else "rmse",), BLANK)
    return score, copy_weights(bench)


def check_arm(bench: Bench, job: FoldJob) -> None:
    held_out = np.flatnonzero(bench.split(0) == 0)
    clean, weights = train(bench, job)
    after, poisoned_weights = train(poison(bench, held_out), job)
    assert_same_weights(weights, poisoned_weights)
    assert (after.train_score, after.train_loss, after.epochs) == (
        clean.train_score,
        clean.train_loss,
        clean.epochs,
    )
    assert after.valid_loss != clean.valid_loss, "the poison did not reach the held-out rows"
    learned = np.flatnonzero(bench.split(0) != 0)[:1]
    _, others = train(poison(bench, learned), job)
    assert any(not torch.equal(tensor, others[name]) for name, tensor in weights.items())


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("kind", MATERIALS)
def test_no_arm_learns_from_held_out_rows(request: pytest.FixtureRequest, kind: str, arm: str) -> None:
    bench = open_tiny(build_source(request, kind))
    check_arm(bench, make_job(make_candidate(**ARMS[arm])))


def test_no_batch_norm_learns_from_held_out_rows(request: pytest.FixtureRequest) -> None:
    checkpoint = request.getfixturevalue("tiny_resnet")
    bench = open_tiny(build_source(request, "image-classification", checkpoint=checkpoint))
    for depth in (0, 1):
        check_arm(bench, make_job(make_candidate(depth, batch_norm="trained")))


@pytest.mark.parametrize("kind", MATERIALS)
def test_no_control_learns_from_held_out_rows(request: pytest.FixtureRequest, kind: str) -> None:
    bench = open_tiny(build_source(request, kind))
    check_arm(bench, make_job(make_candidate(0, batch_norm="trained"), arm="scratch", kind="control"))


@pytest.mark.parametrize("early", [None, {"patience": 1, "share": 0.3}])
@pytest.mark.parametrize("kind", [kind for kind in MATERIALS if kind.endswith("classification")])
def test_no_class_weight_comes_from_held_out_labels(
    request: pytest.FixtureRequest, kind: str, early: dict[str, Any] | None
) -> None:
    bench = open_tiny(build_source(request, kind))
    check_arm(bench, make_job(make_candidate(1, class_weights="balanced", epochs=3, early_stopping=early)))


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize("kind", MATERIALS)
def test_no_baseline_learns_from_held_out_rows(request: pytest.FixtureRequest, kind: str, name: str) -> None:
    bench = open_tiny(build_source(request, kind))
    place = bench.split(0)
    split = Split(train=np.flatnonzero(place != 0), valid=np.flatnonzero(place == 0), repeat=0, fold=0)
    clean = FITS[name](bench, split)
    poisoned = poison(bench, split.valid)
    after = FITS[name](poisoned, split)
    assert np.array_equal(clean(split.train), after(split.train))
    if name != "majority":
        assert not np.array_equal(clean(split.valid), after(split.valid)), "the poison did not reach them"
    others = FITS[name](poison(bench, split.train[:5]), split)
    assert not np.array_equal(clean(split.train[5:]), others(split.train[5:]))
