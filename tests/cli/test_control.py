"""A suite with the control of pretraining runs, is tested, resumes and exports the arm."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from harness.record.ledger import read_history
from tests.cli.test_locked import cells_of

if TYPE_CHECKING:
    from tests.cli.conftest import Answer

Harness = Callable[..., "Answer"]

SPEC = """\
version: 1
name: controlled
tasks:
  mood:
    type: text-classification
    data: {csv: texts.csv, text: text, label: label, group: author}
backbones:
  bert: {model: tiny-bert}
arms:
  full:
    epochs: 2
    head_lr: 1e-2
    backbone_lr: {log: [1e-3, 1e-2]}
    class_weights: {choice: [none, balanced]}
    batch_size: 8
baselines: [majority, scratch]
protocol: {folds: 2, test: 0.25, confirm: {top: 1, repeats: 1}}
search: {trials: 2, sampler: random, pruner: none}
compute: {workers: 1, threads: 1}
"""


@pytest.fixture
def spec(tmp_path: Path, text_csv: Path, tiny_bert: Path) -> Path:
    if text_csv != tmp_path / "texts.csv":
        shutil.copy(text_csv, tmp_path / "texts.csv")
    shutil.copytree(tiny_bert, tmp_path / "tiny-bert")
    file = tmp_path / "controlled.yaml"
    file.write_text(SPEC, encoding="utf-8")
    return file


def test_a_control_is_searched_confirmed_and_tested_as_an_arm_is(spec: Path, harness: Harness) -> None:
    results = spec.parent / "results"
    answer = harness("run", spec, "--results", results)
    assert answer.code == 0
    assert "1 arm · 1 baseline · 1 control · 17 fits at most" in answer.err
    assert "scratch (control)" in answer.out
    folder = results / "controlled"
    scratch, full = (cells_of(folder)[arm] for arm in ("scratch", "full"))
    assert (scratch["kind"], scratch["depth"], scratch["trials"]) == ("control", 0, full["trials"])
    assert scratch["trainable_parameters"] == full["trainable_parameters"]
    for key in ("score", "optimism", "gap", "test_score", "seed_sd"):
        assert scratch[key] is not None, key

    folds = [row for row in pq.read_table(folder / "folds.parquet").to_pylist() if row["arm"] == "scratch"]
    assert len(folds) == 2 * 2 + 2  # the test is in the ledger alone
    assert {row["batch_norm"] for row in folds} == {"trained"}
    assert {row["class_weights"] for row in folds} <= {"none", "balanced"}
    trials = [row for row in pq.read_table(folder / "trials.parquet").to_pylist() if row["method"]]
    assert {row["class_weights"] for row in trials} <= {"none", "balanced"}

    before = (folder / "ledger.jsonl").read_bytes()
    assert harness("run", spec, "--results", results).code == 0
    assert (folder / "ledger.jsonl").read_bytes() == before
    assert len(read_history(folder).trials) == 1 + 2 + 2

    refused = harness(
        "export", "controlled", "--results", results, "--task", "mood", "--arm", "scratch", "--out", "x"
    )
    assert refused.code == 2
    assert "the run has no arm 'scratch'" in refused.err
