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
from harness.learn.folds import list_training
from harness.learn.fractions import cut_training
from harness.modalities import find_modality
from harness.modalities.pictures import encode_picture
from harness.modalities.sounds import encode_sound
from harness.record.scores import FoldJob, FoldScore
from tests.learn.tiny import (
    KEYS,
    MATERIALS,
    all_rows,
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
    "less": {"depth": 1, "dropout": 0.1},
    "stopped early": {"depth": 1, "epochs": 4, "early_stopping": {"patience": 1, "share": 0.3}},
}


SCHEMES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {  # a protocol, and the columns that it rests on
    "temporal": ({"scheme": "temporal", "folds": 3, "gap": 1, "test": 0.2}, {"time": "when"}),
    "leave-one-group-out": ({"scheme": "leave-one-group-out"}, {"group": "who"}),
    "split": ({"folds": 2, "test": "split"}, {"split": "part"}),
}
TRIED = {"temporal": (1, 3), "leave-one-group-out": (1,), "split": (2,)}  # 3 and 2 are what is locked away


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


def split(bench: Bench, fold: int = 0) -> Split:
    """Return the rows that a fold may learn from and those that score it."""
    place, folds = bench.split(0), bench.protocol.folds
    return Split(
        train=list_training(place, fold, folds=folds, kin=bench.kin),
        valid=np.flatnonzero(place == fold),
        repeat=0,
        fold=fold,
    )


def open_split(request: pytest.FixtureRequest, kind: str, scheme: str) -> Bench:
    """Return a bench whose rows have a time that is not their order, one of four groups, and a side of a split."""
    protocol, columns = SCHEMES[scheme]
    fixture, roles, _ = MATERIALS[kind]
    data = request.getfixturevalue(fixture)
    if fixture == "text_csv":
        rows = data.read_text(encoding="utf-8").splitlines()
    else:
        files = sorted(data.rglob("*.*"), key=lambda file: file.name)
        rows = ["file,label", *(f"{file.relative_to(data)},{file.parent.name}" for file in files)]
    count = len(rows) - 1
    told = [
        f"{7 * row % count},g{row // 2 % 4},{'test' if row % 12 > 8 else 'train'}" for row in range(count)
    ]
    table = data if fixture == "text_csv" else data / "metadata.csv"
    lines = [",".join(pair) for pair in zip(rows, ["when,who,part", *told], strict=True)]
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    named = {KEYS[fixture]: data.name} | roles | columns
    source = build_source(request, kind, task={"data": named, "protocol": protocol})
    return open_tiny(source)


def check_arm(bench: Bench, job: FoldJob) -> None:
    learned = split(bench, job.fold).train
    held_out = np.setdiff1d(all_rows(bench), learned)
    if job.fraction < 1:
        learned = cut_training(bench, learned, repeat=0, fold=job.fold, fraction=job.fraction)
    clean, weights = train(bench, job)
    after, poisoned_weights = train(poison(bench, held_out), job)
    assert_same_weights(weights, poisoned_weights)
    assert (after.train_score, after.train_loss, after.epochs) == (
        clean.train_score,
        clean.train_loss,
        clean.epochs,
    )
    assert after.valid_loss != clean.valid_loss, "the poison did not reach the held-out rows"
    _, others = train(poison(bench, learned[:1]), job)
    assert any(not torch.equal(tensor, others[name]) for name, tensor in weights.items())


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("kind", MATERIALS)
def test_no_arm_learns_from_held_out_rows(request: pytest.FixtureRequest, kind: str, arm: str) -> None:
    bench = open_tiny(build_source(request, kind))
    fraction = 0.5 if arm == "less" else 1.0
    check_arm(bench, make_job(make_candidate(**ARMS[arm]), fraction=fraction))


@pytest.mark.parametrize("kind", MATERIALS)
def test_no_arm_learns_from_what_is_cut_away(request: pytest.FixtureRequest, kind: str) -> None:
    bench = open_tiny(build_source(request, kind))
    job = make_job(make_candidate(**ARMS["less"]), fraction=0.5)
    whole = np.flatnonzero(bench.split(0) != 0)
    away = np.setdiff1d(whole, cut_training(bench, whole, repeat=0, fold=0, fraction=0.5))
    clean, weights = train(bench, job)
    # Targets stay: as in the folds, which rows are drawn may depend on the classes of all.
    after, poisoned_weights = train(replace(poison(bench, away), targets=bench.targets), job)
    assert_same_weights(weights, poisoned_weights)
    assert (after.train_loss, after.valid_loss) == (clean.train_loss, clean.valid_loss)


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
    check_baseline(open_tiny(build_source(request, kind)), name)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", MATERIALS)
def test_no_scheme_lets_an_arm_learn_from_what_is_not_in_its_training_part(
    request: pytest.FixtureRequest, kind: str, scheme: str
) -> None:
    bench = open_split(request, kind, scheme)
    for fold in TRIED[scheme]:
        check_arm(bench, make_job(make_candidate(**ARMS["stopped early"]), fold=fold))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", MATERIALS)
def test_no_scheme_lets_a_baseline_learn_from_what_is_not_in_its_training_part(
    request: pytest.FixtureRequest, kind: str, scheme: str
) -> None:
    bench = open_split(request, kind, scheme)
    for fold in TRIED[scheme]:
        for name in FITS:
            check_baseline(bench, name, fold)


def check_baseline(bench: Bench, name: str, fold: int = 0) -> None:
    parts = split(bench, fold)
    clean = FITS[name](bench, parts)
    after = FITS[name](poison(bench, np.setdiff1d(all_rows(bench), parts.train)), parts)
    assert np.array_equal(clean(parts.train), after(parts.train))
    if name != "majority":
        assert not np.array_equal(clean(parts.valid), after(parts.valid)), "the poison did not reach them"
    few = min(5, len(parts.train) - 1)
    others = FITS[name](poison(bench, parts.train[:few]), parts)
    assert not np.array_equal(clean(parts.train[few:]), others(parts.train[few:]))
