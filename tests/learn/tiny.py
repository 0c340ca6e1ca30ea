"""Benches, jobs and candidates on tiny checkpoints, for every task type."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.candidate import Candidate, build_candidate, resolve_space
from harness.learn.bench import Bench
from harness.learn.fit import Seeds
from harness.learn.opening import open_bench
from harness.learn.sources import Source
from harness.record.scores import FoldJob, FoldScore
from harness.spec.models import spec_model

MATERIALS = {  # a task type's data, as fixtures give it, and the checkpoint that reads it
    "text-classification": ("text_csv", {"text": "text", "label": "label"}, "tiny_bert"),
    "text-regression": ("text_csv", {"text": "text", "label": "score"}, "tiny_bert"),
    "image-classification": ("picture_folder", {}, "tiny_vit"),
    "audio-classification": ("sound_folder", {}, "tiny_wav2vec2"),
}
KEYS = {"text_csv": "csv", "picture_folder": "images", "sound_folder": "sounds"}
SEEDS = Seeds(head=1, order=2, dropout=3)
FAST: dict[str, Any] = {"head_lr": 0.01, "backbone_lr": 0.001, "batch_size": 8, "epochs": 2}


def build_source(
    request: pytest.FixtureRequest,
    kind: str = "text-classification",
    *,
    task: dict[str, Any] | None = None,
    checkpoint: Path | None = None,
    backbone: dict[str, Any] | None = None,
    arms: dict[str, dict[str, Any]] | None = None,
    **spec: Any,
) -> Source:
    """Return a suite of one tiny task `task` on one backbone `tiny`, whose shelf lies in the test's own folder."""
    fixture, columns, model = MATERIALS[kind]
    folder = request.getfixturevalue("tmp_path")
    data = {KEYS[fixture]: request.getfixturevalue(fixture).name} | columns
    whole = {
        "version": 1,
        "name": "tiny",
        "tasks": {"task": {"type": kind, "data": data} | (task or {})},
        "backbones": {
            "tiny": {"model": str(checkpoint or request.getfixturevalue(model))} | (backbone or {})
        },
        "arms": arms or {"depth": {"freeze_depth": {"int": [0, "all"]}} | FAST},
        "protocol": {"folds": 3},
    } | spec
    return Source(
        spec_json=spec_model().model_validate_json(json.dumps(whole)).model_dump_json(),
        base=folder,
        cache=folder / "cache",
    )


def open_tiny(source: Source) -> Bench:
    """Return the bench of a source's one task."""
    return open_bench(source, "task", "tiny")


def make_candidate(depth: int, blocks: int = 2, **values: Any) -> Candidate:
    """Return a candidate with the defaults of the one arm kind there is, but for `values`."""
    options = type(spec_model().model_validate_json(json.dumps(BARE)).arms["a"])
    arm = options.model_validate(FAST | {"freeze_depth": depth} | values)
    return build_candidate(resolve_space(arm, blocks), {})


BARE = {
    "version": 1,
    "name": "bare",
    "tasks": {
        "t": {"type": "text-classification", "data": {"csv": "x.csv", "text": "text", "label": "label"}}
    },
    "backbones": {"b": {"model": "x"}},
    "arms": {"a": {}},
}


def make_job(candidate: Candidate | None, *, arm: str = "depth", trial: int = 0, **values: Any) -> FoldJob:
    """Return the job of fold 0; without a candidate that of the baseline `arm`."""
    job = FoldJob(
        study="5a" if candidate else "5b",
        task="task",
        backbone="tiny",
        arm=arm,
        kind="arm" if candidate else "baseline",
        trial=trial,
        repeat=0,
        fold=0,
        candidate=candidate,
    )
    return replace(job, **values)


def without_times(score: FoldScore) -> FoldScore:
    """Return a score without what differs between two runs of one job, and without its predictions."""
    return replace(
        score, fit_s=0.0, cpu_s=0.0, peak_rss_bytes=None, started_at="", shelf_hit=None, predictions=None
    )


def copy_weights(bench: Bench) -> dict[str, torch.Tensor]:
    """Return the model's parameters and buffers as they are now."""
    tensors = [*bench.model.named_parameters(), *bench.model.named_buffers()]
    return {name: tensor.detach().clone() for name, tensor in tensors}


def assert_same_weights(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    """Every bit is the same."""
    assert set(first) == set(second)
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


def all_rows(bench: Bench) -> np.ndarray:
    """Return the numbers of a bench's rows."""
    return np.arange(len(bench.examples))
