"""Results of an older schema are read: folders that the harness of their day wrote, and nobody writes again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.learn.survey import survey_task
from harness.plan import expand
from harness.record.ledger import read_history
from harness.record.lock import read_lock, read_provenance
from harness.record.predictions import open_reader
from harness.runs import rank_run, report_run
from harness.spec.load import load_spec
from harness.spec.models import spec_model

GOLDEN = sorted((Path(__file__).parent / "golden").iterdir())


@pytest.fixture(params=GOLDEN, ids=lambda folder: str(folder.name))
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a golden folder: its data, and the run beside it."""
    copy = tmp_path / "golden"
    shutil.copytree(request.param, copy)
    return copy


def test_every_line_and_every_prediction_of_an_older_run_verifies(golden: Path) -> None:
    history = read_history(golden / "run")
    read = open_reader(golden / "run")
    assert not history.damage
    folds = [fold for record in history.trials.values() for fold in (*record.folds, *record.reduced)]
    assert len(folds) > 20
    assert all(read(fold) is not None for fold in folds)


def test_an_older_run_is_ranked_as_it_was(golden: Path) -> None:
    written = json.loads((golden / "run" / "table.json").read_text())
    cells = {(cell.task, cell.backbone, cell.arm): cell for cell in rank_run(golden / "run").cells}
    assert len(cells) == len(written["cells"])
    for before in written["cells"]:
        now = cells[before["task"], before["backbone"], before["arm"]]
        for key in ("score", "low", "high", "raw_best", "train_score", "test_score"):
            assert getattr(now, key) == pytest.approx(before[key]), key


def test_an_older_run_is_reported(golden: Path) -> None:
    report_run(golden / "run")
    for name in ("table.md", "report.html", "folds.parquet", "trials.parquet"):
        assert (golden / "run" / name).stat().st_size
    assert read_provenance(golden / "run").seed == 0


def test_the_cells_of_an_older_run_keep_their_identity(golden: Path) -> None:
    """What is done is not done again: neither a key that came later nor newer code changes a study's id."""
    lock = read_lock(golden / "run")
    spec = spec_model().model_validate_json(lock.spec_json)
    known = {study for study, _ in read_history(golden / "run").trials}
    assert {study.id for study in expand(spec, lock.survey).studies} == known
    given = load_spec(golden / "run" / "spec.yaml")
    assert {study.id for study in expand(given, lock.survey).studies} == known


def test_the_data_of_an_older_run_keep_their_digest_and_their_folds(golden: Path) -> None:
    lock = read_lock(golden / "run")
    spec = load_spec(golden / "run" / "spec.yaml", allowed=(golden,))
    for task, before in lock.survey.tasks.items():
        now = survey_task(spec, task, base=golden)
        assert (now.digest, now.folds, now.content) == (before.digest, before.folds, before.content)
