from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from harness.errors import StorageError
from harness.record.ledger import Ledger
from harness.record.predictions import predictions_name, read_predictions
from harness.record.scores import Predictions
from harness.record.tables import write_tables
from tests.record.made import CANDIDATE, make_fold, make_predictions
from tests.search.made import make_plan, make_study

FOLD_COLUMNS = [
    "suite",
    "task",
    "modality",
    "backbone",
    "arm",
    "study",
    "trial",
    "candidate",
    "repeat",
    "outer_fold",
    "fold",
    "fraction",
    "seed",
    "n_train",
    "state",
    "error",
    "freeze_depth",
    "blocks",
    "method",
    "head_lr",
    "backbone_lr",
    "layer_decay",
    "weight_decay",
    "dropout",
    "label_smoothing",
    "class_weights",
    "batch_norm",
    "epochs_max",
    "batch_size",
    "warmup",
    "schedule",
    "clip",
    "params",
    "metric",
    "train_score",
    "valid_score",
    "train_loss",
    "valid_loss",
    "metrics",
    "epochs",
    "steps",
    "micro_batch",
    "precision",
    "fit_s",
    "cpu_s",
    "trainable_parameters",
    "peak_rss_bytes",
    "peak_gpu_bytes",
    "shelf_hit",
    "frozen_proof",
    "started_at",
    "host",
    "schema_version",
]
TRIAL_COLUMNS = [
    "study",
    "trial",
    "candidate",
    "state",
    "pruned_at_fold",
    "folds",
    "mean",
    "freeze_depth",
    "blocks",
    "method",
    "head_lr",
    "backbone_lr",
    "layer_decay",
    "weight_decay",
    "dropout",
    "label_smoothing",
    "class_weights",
    "batch_norm",
    "epochs_max",
    "batch_size",
    "warmup",
    "schedule",
    "clip",
    "params",
]
STUDY, BASELINE = make_study("depth"), make_study("majority")


def fill(folder: Path) -> None:
    """Write a complete trial, a pruned, a failed and a running one, and a baseline."""
    with Ledger.open(folder) as ledger:
        for trial in range(4):
            ledger.record_asked(STUDY.id, trial, replace(CANDIDATE, freeze_depth=trial))
        ledger.record_asked(BASELINE.id, 0, None)
        for fold, value in enumerate((0.5, float("nan"))):
            score = make_fold(fold, study=STUDY.id, valid_score=value)
            ledger.record_fold(replace(score, predictions=make_predictions(fold)))
        ledger.record_end(STUDY.id, 0, "complete")
        ledger.record_fold(make_fold(0, trial=1, study=STUDY.id, valid_score=0.2))
        ledger.record_end(STUDY.id, 1, "pruned", "worse")
        ledger.record_fold(make_fold(0, trial=2, study=STUDY.id, state="oom", error="big", valid_score=None))
        ledger.record_end(STUDY.id, 2, "failed", "big")
        ledger.record_fold(make_fold(0, study=BASELINE.id, freeze_depth=None, shelf_hit=None))
        twin = replace(STUDY, arm="twin")
        write_tables(folder, make_plan(BASELINE, STUDY, twin), ledger.history())


def test_the_columns_are_those_of_the_contract(tmp_path: Path) -> None:
    fill(tmp_path)
    assert pq.read_schema(tmp_path / "folds.parquet").names == FOLD_COLUMNS
    assert pq.read_schema(tmp_path / "trials.parquet").names == TRIAL_COLUMNS


def test_the_types_do_not_depend_on_the_rows(tmp_path: Path) -> None:
    fill(tmp_path)
    full = pq.read_schema(tmp_path / "folds.parquet"), pq.read_schema(tmp_path / "trials.parquet")
    with Ledger.open(tmp_path / "empty") as ledger:
        write_tables(tmp_path / "empty", make_plan(STUDY), ledger.history())
    empty = tmp_path / "empty"
    assert (pq.read_schema(empty / "folds.parquet"), pq.read_schema(empty / "trials.parquet")) == full
    assert full[0].metadata[b"schema_version"] == b"1"


def test_a_row_says_what_the_ledger_says(tmp_path: Path) -> None:
    fill(tmp_path)
    rows = pq.read_table(tmp_path / "folds.parquet").to_pylist()
    assert [(row["arm"], row["trial"], row["fold"], row["state"]) for row in rows] == [
        ("majority", 0, 0, "ok"), ("depth", 0, 0, "ok"), ("depth", 0, 1, "ok"), ("depth", 1, 0, "ok"),
        ("depth", 2, 0, "oom"),
    ]  # fmt: skip
    first = rows[1]
    assert first["candidate"] == replace(CANDIDATE, freeze_depth=0).digest()
    assert first["epochs_max"] == first["epochs"] == 3
    assert json.loads(first["params"]) == {
        "deep": True,
        "rank": 8,
        "word": "ä",
        "patience": 2,
        "stopping_share": 0.15,
    }
    assert json.loads(first["metrics"]) == {"auc": 0.7, "log-loss": None}
    assert (first["outer_fold"], first["fraction"], first["schema_version"]) == (None, 1.0, 1)
    assert rows[4]["error"] == "big"
    assert (first["micro_batch"], first["precision"], first["peak_gpu_bytes"]) == (8, "bfloat16", 2**34)
    assert rows[0]["candidate"] is rows[0]["freeze_depth"] is rows[0]["head_lr"] is None


def test_trials_have_a_state_and_the_mean_of_the_folds_that_define_one(tmp_path: Path) -> None:
    fill(tmp_path)
    rows = pq.read_table(tmp_path / "trials.parquet").to_pylist()
    assert [
        (row["study"], row["trial"], row["state"], row["pruned_at_fold"], row["folds"], row["mean"])
        for row in rows
    ] == [
        (BASELINE.id, 0, "running", None, 1, 0.7),
        (STUDY.id, 0, "complete", None, 2, 0.5),
        (STUDY.id, 1, "pruned", 0, 1, 0.2),
        (STUDY.id, 2, "failed", None, 0, None),
        (STUDY.id, 3, "running", None, 0, None),
    ]


def test_duckdb_and_pandas_read_the_tables(tmp_path: Path) -> None:
    fill(tmp_path)
    count = duckdb.sql(
        f"select count(*), count(distinct (study, trial, repeat, fold)) from '{tmp_path}/folds.parquet'"
    ).fetchall()
    assert count == [(5, 5)]
    joined = duckdb.sql(
        f"""select t.mean, p.prediction, p.p_yes from '{tmp_path}/trials.parquet' t
        join '{tmp_path}/predictions/*.parquet' p using (study, trial) order by p.id"""
    ).fetchall()
    assert joined[0] == (0.5, "yes", 0.75)
    frame = pd.read_parquet(tmp_path / "folds.parquet")
    assert frame.groupby("arm").size().to_dict() == {"depth": 4, "majority": 1}
    assert math.isinf(frame.train_loss.iloc[0])


@pytest.mark.parametrize("groups", [None, ("g", "")])
def test_predictions_come_back_as_they_were(tmp_path: Path, groups: tuple[str, ...] | None) -> None:
    written = replace(make_predictions(), groups=groups)
    with Ledger.open(tmp_path) as ledger:
        ledger.record_asked("s", 0, CANDIDATE)
        ledger.record_fold(replace(make_fold(), predictions=written))
        sha256 = ledger.history().trials["s", 0].folds[0].predictions_sha256
    read = read_predictions(tmp_path, ("s", 0, 0, 0, 1.0), sha256)
    assert read.probabilities is not None
    assert np.array_equal(read.probabilities, np.asarray(written.probabilities))
    assert replace(read, probabilities=None) == replace(written, probabilities=None)


def test_predictions_of_numbers_are_numbers(tmp_path: Path) -> None:
    written = Predictions(ids=("a",), groups=None, targets=(1.5,), values=(2.5,))
    with Ledger.open(tmp_path) as ledger:
        ledger.record_asked("s", 0, CANDIDATE)
        ledger.record_fold(replace(make_fold(), predictions=written))
    assert read_predictions(tmp_path, ("s", 0, 0, 0, 1.0)) == written


def test_predictions_of_twins_keep_what_binds_them(tmp_path: Path) -> None:
    written = Predictions(
        ids=("a", "b", "c"), groups=None, targets=(1.0, 2.0, 2.0), values=(1.5,) * 3, clusters=("a", "b", "b")
    )
    with Ledger.open(tmp_path) as ledger:
        ledger.record_asked("s", 0, CANDIDATE)
        ledger.record_fold(replace(make_fold(), predictions=written))
    assert read_predictions(tmp_path, ("s", 0, 0, 0, 1.0)) == written
    table = pq.read_table(tmp_path / "predictions" / predictions_name(("s", 0, 0, 0, 1.0)))
    assert table.column("cluster").to_pylist() == ["a", "b", "b"]


def test_predictions_that_were_changed_or_removed_are_refused(tmp_path: Path) -> None:
    fill(tmp_path)
    key = (STUDY.id, 0, 0, 0, 1.0)
    path = tmp_path / "predictions" / predictions_name(key)
    with pytest.raises(StorageError, match="not the bytes"):
        read_predictions(tmp_path, key, "0" * 64)
    path.unlink()
    with pytest.raises(StorageError, match="No such file"):
        read_predictions(tmp_path, key)
