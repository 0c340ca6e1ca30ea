"""A suite of which something cannot be had: it is refused, or left out by name, and added when it is there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Answer, Place

Harness = Callable[..., "Answer"]

ROOT = Path(__file__).parents[2]
FOLDS = 2
CELLS = 2 + 2  # of a task: arms and baselines
LEFT_OUT = "left out, for it could not be had: tasks.score: "


@pytest.fixture
def lacking(suite: Place) -> Place:
    """A suite, of whose two tasks one has no data."""
    text = suite.spec.read_text()
    head, tail = text.split("  score:")
    suite.spec.write_text(f"{head}  score:{tail.replace('texts.csv', 'scores.csv')}")
    return suite


def run(place: Place, harness: Harness, *flags: str) -> Answer:
    return harness("run", place.spec, "--results", place.results, "--offline", *flags)


def flat(text: str) -> str:
    return " ".join(text.split())


def test_a_task_without_data_is_left_out_where_asked_and_added_when_it_is_there(
    lacking: Place, harness: Harness
) -> None:
    refused = run(lacking, harness)
    assert refused.code == 3
    assert "tasks.score" in refused.err
    assert not lacking.run.exists()

    partial = run(lacking, harness, "--skip-missing")
    assert partial.code == 1, partial.err
    assert LEFT_OUT in flat(partial.out)
    assert LEFT_OUT in flat(partial.err)
    assert "scores.csv" in flat(partial.out)
    assert lacking.folds() == CELLS * FOLDS
    for name in ("table.md", "report.html", "table.json"):
        assert "left out, for it could not be had" in flat((lacking.run / name).read_text()), name
    assert f"missing  {LEFT_OUT}" in (lacking.run / "run.log").read_text()
    for verb in ("rank", "report", "status"):
        assert harness(verb, "small", "--results", lacking.results).code == 0

    again = run(lacking, harness, "--skip-missing")
    assert again.code == 1, again.err
    assert lacking.folds() == CELLS * FOLDS

    shutil.copy(lacking.spec.parent / "texts.csv", lacking.spec.parent / "scores.csv")
    planned = harness("plan", lacking.spec, "--results", lacking.results, "--json", "--no-timing")
    reuse = planned.document()["reuse"]
    assert (reuse["reused"], reuse["new"]) == (CELLS, CELLS)
    assert [each["why"] for each in reuse["reasons"]] == [["tasks.score could not be had before"]]

    before = (lacking.run / "ledger.jsonl").read_text()
    whole = run(lacking, harness)
    assert whole.code == 0, whole.err
    assert lacking.folds() == 2 * CELLS * FOLDS
    assert (lacking.run / "ledger.jsonl").read_text().startswith(before)
    assert "left out" not in whole.out
    assert json.loads((lacking.run / "lock.json").read_text())["survey"]["missing"] == {}


def test_a_backbone_that_is_not_there_is_left_out(suite: Place, harness: Harness) -> None:
    suite.spec.write_text(
        suite.spec.read_text().replace("backbones:", "backbones:\n  absent: {model: ./nowhere}")
    )
    assert run(suite, harness).code == 3
    answer = run(suite, harness, "--skip-missing", "--set", "tasks.mood.data.take=24")
    assert answer.code == 1, answer.err
    assert "left out, for it could not be had: backbones.absent: " in flat(answer.out)
    assert suite.folds() == 2 * CELLS * FOLDS


def test_where_nothing_is_left_all_reasons_are_told(lacking: Place, harness: Harness) -> None:
    shutil.rmtree(lacking.spec.parent / "tiny-bert")
    lacking.spec.write_text(lacking.spec.read_text().replace("tiny-bert", "./tiny-bert"))
    answer = run(lacking, harness, "--skip-missing")
    assert answer.code == 3
    told = flat(answer.err)
    assert "no task is left that could be run" in told
    for place in ("backbones.bert: ", "tasks.score: ", "tasks.mood: no backbone of the spec reads text"):
        assert place in told
    assert not lacking.run.exists()


def test_with_everything_there_the_flag_changes_nothing(finished: Place, harness: Harness) -> None:
    before = finished.folds()
    assert run(finished, harness, "--skip-missing").code == 0
    assert finished.folds() == before


def test_a_torchvision_that_broke_since_is_named_with_its_uninstall_before_anything_trains(
    finished: Place, tmp_path: Path
) -> None:
    packages = tmp_path / "packages"
    (packages / "torchvision").mkdir(parents=True)
    (packages / "torchvision" / "__init__.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')\n"
    )
    described = packages / "torchvision-0.1.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: torchvision\nVersion: 0.1\n")
    before = (finished.run / "ledger.jsonl").read_bytes()
    command = ("run", finished.spec, "--results", finished.results, "--offline", "--skip-missing")
    ended = subprocess.run(
        [sys.executable, "-P", "-c", "from harness.cli.main import main; main()", *map(str, command)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(packages), str(ROOT)))},
        capture_output=True,
        text=True,
        check=False,
    )
    # Of transformers 5 no model can be imported beside it, of whatever modality.
    assert ended.returncode == 3, ended.stderr
    assert "backbones.bert: " in flat(ended.stderr)
    assert "pip uninstall torchvision" in flat(ended.stderr)
    assert (finished.run / "ledger.jsonl").read_bytes() == before
