"""Suites whose folds follow from the data: by time, by group, by a column of the source."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Answer

Harness = Callable[..., "Answer"]

SPEC = """\
version: 1
name: split
tasks:
  mood:
    type: text-classification
    data: {csv: rows.csv, text: text, label: label, id: n, DATA}
backbones:
  bert: {model: tiny-bert}
arms:
  full: {freeze_depth: 0, epochs: 1, head_lr: {log: [1e-7, 1e-1]}, backbone_lr: 1e-4, batch_size: 8}
baselines: [majority]
protocol: {PROTOCOL}
search: {trials: 2, sampler: random, pruner: none}
compute: {workers: 1, threads: 1}
"""


@pytest.fixture
def folder(tmp_path: Path, text_csv: Path, tiny_bert: Path) -> Path:
    """Sixty texts, a day apart in another order than their rows, of four people, the last twelve rows for the test."""
    head, *rows = text_csv.read_text(encoding="utf-8").splitlines()
    told = [f"{2000 + row * 7 % 60}-01-01" for row in range(60)]
    lines = [
        f"{line},{row:02},{told[row]},p{row // 2 % 4},{'TEST' if row > 47 else 'train'}"
        for row, line in enumerate(rows)
    ]
    (tmp_path / "rows.csv").write_text("\n".join([f"{head},n,day,who,part", *lines]) + "\n", encoding="utf-8")
    if not (tmp_path / "tiny-bert").exists():
        shutil.copytree(tiny_bert, tmp_path / "tiny-bert")
    return tmp_path


def write(folder: Path, data: str, protocol: str) -> Path:
    file = folder / "split.yaml"
    file.write_text(SPEC.replace("DATA", data).replace("PROTOCOL", protocol), encoding="utf-8")
    return file


def held_out(run: Path) -> dict[int, set[int]]:
    """Return the numbers of the rows that each fold of any study scored."""
    found: dict[int, set[int]] = {}
    for file in (run / "predictions").glob("*.parquet"):
        rows = set(map(int, pq.read_table(file).column("id").to_pylist()))
        fold = int(file.stem.rpartition("-f")[2])
        assert found.setdefault(fold, rows) == rows
    return found


def cells_of(run: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads((run / "table.json").read_text())["cells"]
    return cells


def test_a_temporal_suite_scores_all_but_the_oldest_and_tests_on_the_latest(
    folder: Path, harness: Harness
) -> None:
    spec = write(folder, "time: day", "scheme: temporal, folds: 3, gap: 400, test: 0.2")
    plan = harness("plan", spec, "--results", folder / "results")
    assert "36 examples are scored, each by what is older; the 12 oldest are only trained on" in plan.out
    assert "the gap of 400 leaves 4 examples out of training parts" in plan.out
    answer = harness("run", spec, "--results", folder / "results")
    assert answer.code == 0
    assert "3 folds forward in time" in answer.out
    run = folder / "results" / "split"
    year = {row: row * 7 % 60 for row in range(60)}
    assert {fold: sorted(map(year.__getitem__, rows)) for fold, rows in held_out(run).items()} == {
        fold: list(range(12 + 12 * fold, 24 + 12 * fold)) for fold in range(4)
    }
    trained = pq.read_table(run / "folds.parquet").select(["fold", "n_train"]).to_pylist()
    assert {(row["fold"], row["n_train"]) for row in trained} == {(0, 11), (1, 23), (2, 35)}
    for cell in cells_of(run):
        assert cell["low"] <= cell["score"] <= cell["high"]
        assert cell["test_low"] <= cell["test_score"] <= cell["test_high"]
    again = harness("run", spec, "--results", folder / "results")
    assert again.code == 0
    assert len(list((run / "predictions").glob("*.parquet"))) == 11  # nothing was fitted again
    out = harness(
        "export", "split", "--task", "mood", "--out", folder / "model", "--results", folder / "results"
    )
    assert "refit on all 60 rows" in out.out


def test_every_group_is_left_out_once(folder: Path, harness: Harness) -> None:
    spec = write(folder, "group: who", "scheme: leave-one-group-out, confirm: {top: 1, repeats: 1}")
    answer = harness("run", spec, "--results", folder / "results")
    assert answer.code == 0
    assert "4 folds, one for each group" in answer.out
    run = folder / "results" / "split"
    assert held_out(run) == {fold: {row for row in range(60) if row // 2 % 4 == fold} for fold in range(4)}
    assert harness("rank", "split", "--results", folder / "results").code == 0


def test_the_rows_that_the_source_calls_test_are_scored_once(folder: Path, harness: Harness) -> None:
    spec = write(folder, "split: part", "folds: 2, test: split")
    assert harness("run", spec, "--results", folder / "results").code == 0
    rows = held_out(folder / "results" / "split")
    assert rows[2] == set(range(48, 60))
    assert rows[0] | rows[1] == set(range(48))


def test_a_task_may_have_another_scheme_than_the_suite(folder: Path, harness: Harness) -> None:
    spec = write(folder, "group: who}\n    protocol: {scheme: leave-one-group-out, repeats: 1", "folds: 2")
    plan = harness("plan", spec, "--results", folder / "results", "--json")
    assert {cell["folds"] for cell in json.loads(plan.out)["cells"]} == {4}
    answer = harness("run", spec, "--results", folder / "results")
    assert answer.code == 0
    assert set(held_out(folder / "results" / "split")) == {0, 1, 2, 3}


def test_what_cannot_be_split_is_said_before_anything_trains(folder: Path, harness: Harness) -> None:
    spec = write(folder, "on_bad: error", "scheme: leave-one-group-out")
    answer = harness("run", spec, "--results", folder / "results")
    assert answer.code == 3
    assert "tasks.mood: leave-one-group-out needs groups" in answer.err
