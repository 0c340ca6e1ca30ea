"""One spec and one seed give one table: with one worker, and with two that are asked in batches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from harness.spec.models import Spec, spec_model
from harness.suite import run_suite

pytestmark = pytest.mark.whole
TIMES = ("fit_s", "cpu_s", "peak_rss_bytes", "started_at", "host", "shelf_hit")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def spec(text_csv: Path, picture_folder: Path, tiny_bert: Path, tiny_vit: Path) -> dict[str, Any]:
    rates = {"head_lr": {"log": [1e-3, 1e-1]}, "batch_size": 8, "epochs": 2}
    return {
        "version": 1,
        "name": "repeats",
        "seed": 7,
        "tasks": {
            "texts": {
                "type": "text-classification",
                "data": {"csv": "texts.csv", "text": "text", "label": "label", "group": "author"},
                "metric": "log-loss",
            },
            "scores": {
                "type": "text-regression",
                "data": {"csv": "texts.csv", "text": "text", "label": "score"},
            },
            "pictures": {"type": "image-classification", "data": {"images": "pictures"}},
        },
        "backbones": {"bert": {"model": str(tiny_bert)}, "vit": {"model": str(tiny_vit)}},
        "arms": {
            "head": {"freeze_depth": "all"} | rates,
            "depth": {
                "freeze_depth": {"int": [0, "all"]},
                "backbone_lr": {"log": [1e-5, 1e-2]},
                "dropout": {"float": [0, 0.3]},
            }
            | rates,
            "stopped": {"freeze_depth": 1, "early_stopping": {"patience": 1}} | rates,
        },
        "protocol": {"folds": 3},
        "search": {"trials": 3, "startup": 1, "pruner": "median"},
    }


def run(spec: dict[str, Any], base: Path, name: str, **changes: Any) -> tuple[Any, list[dict[str, Any]]]:
    """Return the table and the folds of a run in a folder of its own, without what is measured in seconds."""
    parsed: Spec = spec_model().model_validate_json(json.dumps(spec | changes))
    done = run_suite(parsed, base=base, results=base / name, offline=True)
    assert done.outcome.ended == "complete"
    table = json.loads((done.folder / "table.json").read_text())
    for cell in table["cells"]:
        constant = (cell["task"], cell["arm"]) == ("scores", "majority")  # of which no correlation is defined
        assert (cell["score"] is None) == constant, cell
        cell.pop("fit_s")
    folds = pq.read_table(done.folder / "folds.parquet").to_pylist()
    for fold in folds:
        for key in TIMES:
            fold.pop(key, None)
    return table, sorted(folds, key=lambda fold: (fold["study"], fold["trial"], fold["repeat"], fold["fold"]))


def check_twice(spec: dict[str, Any], base: Path, **changes: Any) -> tuple[Any, list[dict[str, Any]]]:
    first, second = (run(spec, base, name, **changes) for name in ("first", "second"))
    assert first[0] == second[0]
    assert [repr(fold) for fold in first[1]] == [repr(fold) for fold in second[1]]
    assert len(first[0]["cells"]) == 3 * (3 + 4)
    return first


def test_one_worker_gives_one_table(spec: dict[str, Any], tmp_path: Path) -> None:
    first = check_twice(spec, tmp_path, compute={"workers": 1})
    other = run(spec, tmp_path, "other", compute={"workers": 1}, seed=8)
    assert other[0] != first[0]


def test_two_workers_asked_in_batches_give_one_table(spec: dict[str, Any], tmp_path: Path) -> None:
    search = spec["search"] | {"batch": 2}
    ray = check_twice(spec, tmp_path, compute={"workers": 2, "threads": 1}, search=search)
    alone = run(spec, tmp_path, "alone", compute={"workers": 1, "threads": 1}, search=search)
    assert ray[0] == alone[0]
    assert [repr(fold) for fold in ray[1]] == [repr(fold) for fold in alone[1]]
