"""Nested cross-validation: a full search for every outer fold, whose winner is scored on that fold alone."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from harness.record.ledger import read_history

if TYPE_CHECKING:
    from tests.cli.conftest import Answer

Harness = Callable[..., "Answer"]

OUTER, INNER = 3, 2
SPEC = f"""\
version: 1
name: nested
tasks:
  mood:
    type: text-classification
    data: {{csv: texts.csv, text: text, label: label, group: author}}
    metric: accuracy
    metrics: [macro-f1]
backbones:
  bert: {{model: tiny-bert}}
arms:
  full: {{freeze_depth: 0, epochs: 2, head_lr: {{log: [1e-4, 1e-1]}}, batch_size: 8}}
  head: {{freeze_depth: all, epochs: 2, head_lr: {{log: [1e-3, 1e-1]}}, batch_size: 8}}
baselines: [majority]
protocol: {{nested: {{outer: {OUTER}, inner: {INNER}}}}}
search: {{trials: 2, sampler: random, pruner: none}}
compute: {{workers: 1, threads: 1}}
"""


@pytest.fixture
def spec(tmp_path: Path, text_csv: Path, tiny_bert: Path) -> Path:
    if text_csv != tmp_path / "texts.csv":
        shutil.copy(text_csv, tmp_path / "texts.csv")
    shutil.copytree(tiny_bert, tmp_path / "tiny-bert")
    file = tmp_path / "nested.yaml"
    file.write_text(SPEC, encoding="utf-8")
    return file


@pytest.fixture
def folder(spec: Path, harness: Harness) -> Path:
    """The folder of a run of the spec."""
    results = spec.parent / "results"
    answer = harness("run", spec, "--results", results)
    assert answer.code == 0, answer.err
    return results / "nested"


def cells_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the cells of a run by arm."""
    return {cell["arm"]: cell for cell in json.loads((folder / "table.json").read_text())["cells"]}


def test_every_example_is_scored_once_by_a_search_that_never_saw_its_group(folder: Path) -> None:
    scored: dict[str, list[str]] = defaultdict(list)
    searched: dict[str, set[str]] = defaultdict(set)
    authors: dict[str, set[str]] = defaultdict(set)
    for file in (folder / "predictions").glob("*.parquet"):
        table = pq.read_table(file)
        study, fold = table["study"][0].as_py(), table["fold"][0].as_py()
        if fold == INNER:  # what is locked away stands behind the last fold
            scored[study] += table["id"].to_pylist()
            authors[study] |= set(table["group"].to_pylist())
        else:
            searched[study] |= set(table["group"].to_pylist())
    assert len(scored) == 3 * OUTER
    for study in scored:
        assert not authors[study] & searched[study]
    everyone = sorted(pq.read_table(folder / "folds.parquet")["study"].unique().to_pylist())
    assert everyone == sorted(scored)
    rows = sum(len(rows) for rows in scored.values()) // 3
    assert len({row for rows in scored.values() for row in rows}) == rows


def test_further_metrics_and_classes_are_those_of_the_pooled_outer_folds(folder: Path) -> None:
    cells = cells_of(folder)
    (table,) = json.loads((folder / "table.json").read_text())["classes"]
    assert table["trial"] is None  # each outer fold has its own winner
    cell = cells[table["arm"]]
    confusion, classes = table["confusion"], table["classes"]
    right = sum(confusion[place][place] for place in range(len(classes)))
    assert right / sum(map(sum, confusion)) == pytest.approx(cell["score"], abs=1e-12)
    mean = sum(each["f1"] or 0 for each in classes) / len(classes)
    assert cell["metrics"]["macro-f1"]["value"] == pytest.approx(mean, abs=1e-12)
    assert (cell["test_gap"], cell["depths"], cell["components"]) == (None, [], None)
    assert "the winners of the outer folds" in (folder / "report.html").read_text(encoding="utf-8")


def test_the_score_is_the_metric_on_the_pooled_outer_folds(folder: Path) -> None:
    history, cell = read_history(folder), cells_of(folder)["full"]
    table = pq.read_table(folder / "folds.parquet")
    studies = {
        study
        for study, arm in zip(table["study"].to_pylist(), table["arm"].to_pylist(), strict=True)
        if arm == "full"
    }
    tested = [record for (study, _), record in history.trials.items() if study in studies and record.test]
    files = [
        folder / "predictions" / f"{record.study}-t{record.trial}-r0-f{INNER}.parquet" for record in tested
    ]
    right = [
        said == true
        for file in files
        for said, true in zip(
            *(pq.read_table(file)[name].to_pylist() for name in ("prediction", "target")), strict=True
        )
    ]
    assert len(tested) == OUTER
    assert cell["score"] == pytest.approx(sum(right) / len(right), abs=1e-12)
    assert cell["low"] <= cell["score"] <= cell["high"]
    assert cell["optimism"] == pytest.approx(cell["raw_best"] - cell["score"], abs=1e-12)
    assert cell["trials"] == {"ok": 2 * OUTER, "pruned": 0, "failed": 0}
    assert cell["test_score"] is None
    assert "the winners of the outer folds freeze 0, 0, 0 blocks" in cell["note"]
    assert set(table["outer_fold"].to_pylist()) == {0, 1, 2}


def test_arms_are_paired_over_the_outer_folds(folder: Path) -> None:
    full, head = cells_of(folder)["full"], cells_of(folder)["head"]
    assert [pair["arm"] for pair in full["pairwise"]] == ["head"]
    assert full["pairwise"][0]["difference"] == pytest.approx(-head["pairwise"][0]["difference"])
    assert full["p_best"] + head["p_best"] == pytest.approx(1)


def test_the_same_command_trains_nothing_again(spec: Path, folder: Path, harness: Harness) -> None:
    before = (folder / "ledger.jsonl").read_bytes()
    table = (folder / "table.json").read_bytes()
    assert harness("run", spec, "--results", folder.parent, "-q").code == 0
    assert (folder / "ledger.jsonl").read_bytes() == before
    assert (folder / "table.json").read_bytes() == table


def test_a_cell_without_all_outer_folds_is_missing(spec: Path, folder: Path, harness: Harness) -> None:
    lines = (folder / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "ledger.jsonl").write_bytes(b"".join(line for line in lines if b'"event":"test"' not in line))
    assert harness("report", "nested", "--results", folder.parent).code == 0
    cell = cells_of(folder)["full"]
    assert cell["score"] is None
    assert cell["note"] == (
        "0 of 3 outer folds are scored: the same command scores the others when all searches have ended"
    )


def test_a_budget_that_ends_before_the_outer_folds_are_scored_is_told_by_its_code(
    spec: Path, folder: Path, harness: Harness
) -> None:
    whole = (folder / "table.json").read_bytes()
    lines = (folder / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    assert b'"event":"test"' in lines[-1]
    (folder / "ledger.jsonl").write_bytes(b"".join(line for line in lines if b'"event":"test"' not in line))
    for file in (folder / "predictions").glob(f"*-f{INNER}.parquet"):
        file.unlink()
    command = ("run", spec, "--results", folder.parent, "-q")
    assert harness(*command, "--set", "budget.hours=1e-9").code == 5
    assert cells_of(folder)["full"]["score"] is None
    assert harness(*command).code == 0
    again = json.loads((folder / "table.json").read_bytes())
    for before, after in zip(json.loads(whole)["cells"], again["cells"], strict=True):
        assert before | {"fit_s": None} == after | {"fit_s": None}


def test_trials_that_are_added_leave_the_outer_folds_as_they_were_until_told(
    spec: Path, folder: Path, harness: Harness
) -> None:
    before = cells_of(folder)["full"]["score"]
    for trials in range(3, 9):  # until another trial is the best one of some outer fold
        more = ("run", spec, "--results", folder.parent, "--set", f"search.trials={trials}", "-q")
        assert harness(*more).code == 0
        if "former winner" in cells_of(folder)["full"]["note"]:
            break
    cell = cells_of(folder)["full"]
    assert "of 3 outer folds were scored by a former winner: --reopen-test scores the new one" in cell["note"]
    assert cell["score"] == before
    assert harness(*more, "--reopen-test").code == 0
    assert "former winner" not in cells_of(folder)["full"]["note"]


def test_a_nested_run_leaves_no_model(folder: Path, harness: Harness) -> None:
    answer = harness(
        "export", "nested", "--task", "mood", "--results", folder.parent, "--out", folder / "model"
    )
    assert answer.code == 2
    assert "a nested protocol compares searches and leaves no single model" in answer.err


def test_a_plan_shows_one_line_for_all_outer_folds(spec: Path, harness: Harness) -> None:
    answer = harness("plan", spec, "--results", spec.parent / "results")
    assert "3 outer folds, 2 inner" in answer.out
    assert "nested · 3 cells" in answer.out
    assert (
        "mood · bert · full      6       15" in answer.out
    )  # 3 searches of 2 trials x 2 folds, and 3 winners
