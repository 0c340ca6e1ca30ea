"""A part of the examples is locked away, and opened once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from harness.errors import StorageError
from harness.record.ledger import Ledger, read_history

if TYPE_CHECKING:
    from tests.cli.conftest import Answer

Harness = Callable[..., "Answer"]

SPEC = """\
version: 1
name: locked
tasks:
  mood:
    type: text-classification
    data: {csv: texts.csv, text: text, label: label, group: author}
backbones:
  bert: {model: tiny-bert}
arms:
  full: {freeze_depth: 0, epochs: 2, head_lr: {log: [1e-7, 1e-1]}, backbone_lr: {log: [1e-7, 1e-2]}, batch_size: 8}
baselines: [majority]
protocol: {folds: 2, test: 0.25}
search: {trials: 1, sampler: random, pruner: none}
compute: {workers: 1, threads: 1}
"""


@pytest.fixture
def spec(tmp_path: Path, text_csv: Path, tiny_bert: Path) -> Path:
    if text_csv != tmp_path / "texts.csv":
        shutil.copy(text_csv, tmp_path / "texts.csv")
    shutil.copytree(tiny_bert, tmp_path / "tiny-bert")
    file = tmp_path / "locked.yaml"
    file.write_text(SPEC, encoding="utf-8")
    return file


def cells_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the cells of a run by arm."""
    return {cell["arm"]: cell for cell in json.loads((folder / "table.json").read_text())["cells"]}


def opened_in(folder: Path) -> dict[tuple[str, int], str]:
    """Return the state of every test that the ledger holds."""
    trials = read_history(folder).trials
    return {key: record.test.state for key, record in trials.items() if record.test is not None}


def test_winners_and_baselines_are_scored_once_on_what_no_fold_has_seen(spec: Path, harness: Harness) -> None:
    results = spec.parent / "results"
    answer = harness("run", spec, "--results", results)
    assert answer.code == 0
    assert "locked test: full" in answer.out
    folder = results / "locked"
    cells = cells_of(folder)
    for arm in ("full", "majority"):
        assert cells[arm]["test_low"] <= cells[arm]["test_score"] <= cells[arm]["test_high"]
    assert list(opened_in(folder).values()) == ["ok", "ok"]

    files = {file.stem: pq.read_table(file) for file in (folder / "predictions").glob("*-t0-*.parquet")}
    locked = [set(table["id"].to_pylist()) for name, table in files.items() if name.endswith("-f2")]
    seen = [set(table["id"].to_pylist()) for name, table in files.items() if not name.endswith("-f2")]
    assert locked[0] == locked[1]
    assert not locked[0] & set.union(*seen)
    groups = [set(table["group"].to_pylist()) for name, table in files.items() if name.endswith("-f2")]
    others = [set(table["group"].to_pylist()) for name, table in files.items() if not name.endswith("-f2")]
    assert not groups[0] & set.union(*others)


def test_the_test_is_not_opened_again_unless_told(spec: Path, harness: Harness) -> None:
    results = spec.parent / "results"
    folder = results / "locked"
    harness("run", spec, "--results", results)
    first = opened_in(folder)
    score = cells_of(folder)["full"]["test_score"]
    for trials in range(2, 9):  # until another trial is the best one
        answer = harness("run", spec, "--results", results, "--set", f"search.trials={trials}", "-q")
        assert answer.code == 0
        assert opened_in(folder) == first
        if "test score is that of trial 0" in cells_of(folder)["full"]["note"]:
            break
    assert "which was best when it was taken" in cells_of(folder)["full"]["note"]
    assert cells_of(folder)["full"]["test_score"] == score

    harness("run", spec, "--results", results, "--set", f"search.trials={trials}", "--reopen-test", "-q")
    assert len(opened_in(folder)) == len(first) + 1
    assert "the test was opened 2 times" in cells_of(folder)["full"]["note"]


def test_a_trial_is_never_tested_twice(spec: Path, harness: Harness) -> None:
    results = spec.parent / "results"
    harness("run", spec, "--results", results, "-q")
    with Ledger.open(results / "locked") as ledger:
        test = next(record.test for record in ledger.history().trials.values() if record.test is not None)
        with pytest.raises(StorageError, match="tested already"):
            ledger.record_test(test)


def test_a_test_that_failed_has_shown_nothing_and_is_taken_again(spec: Path, harness: Harness) -> None:
    results = spec.parent / "results"
    harness("run", spec, "--results", results, "-q")
    folder = results / "locked"
    lines = (folder / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "ledger.jsonl").write_bytes(b"".join(line for line in lines if b'"event":"test"' not in line))
    for file in (folder / "predictions").glob("*-f2.parquet"):
        file.unlink()
    with Ledger.open(folder) as ledger:
        known = next(record for record in ledger.history().trials.values() if record.candidate is not None)
        failed = replace(known.folds[0], fold=2, state="oom", valid_score=None, predictions_sha256=None)
        ledger.record_test(failed)
    assert list(opened_in(folder).values()) == ["oom"]
    assert harness("run", spec, "--results", results, "-q").code == 0
    assert list(opened_in(folder).values()) == ["ok", "ok"]
    assert "opened" not in cells_of(folder)["full"]["note"]
