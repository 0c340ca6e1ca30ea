from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from harness.record.ledger import LEDGER, read_history
from harness.record.predictions import read_predictions
from tests.search.made import read_tables, run_plan

pytestmark = [pytest.mark.whole, pytest.mark.faults]
DRIVEN = Path(__file__).with_name("driven.py")
LIMIT_S = 120


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command on `tmp_path`; what a failing test leaves behind is ended."""
    started: list[subprocess.Popen[str]] = []

    def start(suite: str = "deadly") -> subprocess.Popen[str]:
        with (tmp_path / "said.txt").open("a") as said:
            process = subprocess.Popen(
                [sys.executable, str(DRIVEN), str(tmp_path), suite],
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def starts(folder: Path) -> list[dict[str, Any]]:
    """Return who began which fold when."""
    path = folder / "starts.txt"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def wait_for(reached: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
    end = time.monotonic() + limit_s
    while not reached():
        assert time.monotonic() < end, f"no {what} within {limit_s} s"
        time.sleep(0.05)


def finish(process: subprocess.Popen[str], folder: Path) -> None:
    said, _ = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, said) == (0, "complete\n"), (folder / "said.txt").read_text()


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def folds_in(folder: Path) -> int:
    path = folder / LEDGER
    return path.read_bytes().count(b'"event":"fold"') if path.exists() else 0


def check_suite(folder: Path) -> None:
    """Everything is there once: 3 baseline folds, 5 trials of depth, 4 of deadly and one that failed at fold 1."""
    history = read_history(folder)
    keys = [fold.key for record in history.trials.values() for fold in record.folds]
    assert len(keys) == len(set(keys))
    states = Counter(record.state for record in history.trials.values())
    assert states == {"complete": 1 + 5 + 4, "failed": 1}
    rows = pq.read_table(folder / "folds.parquet").to_pylist()
    assert len(rows) == len(keys)
    errors = [row for row in rows if row["state"] != "ok"]
    assert [(row["arm"], row["trial"], row["fold"], row["state"]) for row in errors] == [
        ("deadly", 2, 1, "error")
    ]
    assert "its worker died 2 times" in errors[0]["error"]
    for record in history.trials.values():
        for fold in record.folds:
            if fold.state == "ok":
                read_predictions(folder, fold.key, fold.predictions_sha256)


def test_a_killed_driver_loses_nothing_and_leaves_no_worker(
    tmp_path: Path, launch: Callable[[], subprocess.Popen[str]]
) -> None:
    driver = launch()
    wait_for(lambda: folds_in(tmp_path) >= 8, "eighth fold")
    workers = {start["pid"] for start in starts(tmp_path)}
    os.kill(driver.pid, signal.SIGKILL)
    killed = time.time()
    driver.wait()
    acknowledged = read_history(tmp_path).trials
    wait_for(lambda: not any(map(alive, workers)), "end of the workers", limit_s=30)
    assert max(start["at"] for start in starts(tmp_path)) < killed + 1

    finish(launch(), tmp_path)
    check_suite(tmp_path)
    after = read_history(tmp_path).trials
    for key, record in acknowledged.items():
        assert after[key].candidate == record.candidate
        kept = after[key].folds[: len(record.folds)]
        assert repr(kept) == repr(record.folds)  # an undefined metric is NaN, which equals nothing
    again = Counter(tuple(start["key"]) for start in starts(tmp_path) if start["arm"] != "deadly")
    assert sum(again.values()) - len(again) <= 2  # one fold for each worker at most


def test_a_killed_worker_costs_one_repeat(
    tmp_path: Path, launch: Callable[[], subprocess.Popen[str]]
) -> None:
    driver = launch()
    wait_for(lambda: folds_in(tmp_path) >= 5, "fifth fold")
    victim = starts(tmp_path)[-1]
    os.kill(victim["pid"], signal.SIGKILL)
    finish(driver, tmp_path)
    check_suite(tmp_path)
    times = Counter(tuple(start["key"]) for start in starts(tmp_path))
    repeated = {key: count for key, count in times.items() if count > 1}
    assert set(repeated.values()) == {2}
    assert len(repeated) <= 2  # the victim's fold, and the deadly one
    assert victim["pid"] not in {start["pid"] for start in starts(tmp_path) if start["at"] > victim["at"] + 1}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kills_of_drivers_and_workers_at_seeded_moments_change_no_table(
    tmp_path: Path, launch: Callable[..., subprocess.Popen[str]], seed: int
) -> None:
    """Two kills a seed: one of a worker in a fold, one of the driver, in either order."""
    from tests.whole.driven import BATCHES, SUITES

    run_plan(tmp_path / "quiet", BATCHES, SUITES["batches"][1])
    draw = random.Random(seed)
    first, second = sorted(draw.sample(range(1, folds_in(tmp_path / "quiet") - 3), 2))
    driver = launch("batches")
    for folds, victim in (
        ((first, "worker"), (second, "driver")) if seed % 2 else ((first, "driver"), (second, "worker"))
    ):
        wait_for(lambda: folds_in(tmp_path) >= folds, f"fold {folds}")  # noqa: B023  # called at once
        acknowledged = read_history(tmp_path).trials
        if victim == "worker":
            os.kill(starts(tmp_path)[-1]["pid"], signal.SIGKILL)
            continue
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
        driver = launch("batches")
    finish(driver, tmp_path)
    after = read_history(tmp_path).trials
    for key, record in acknowledged.items():
        assert repr(after[key].folds[: len(record.folds)]) == repr(record.folds)
    assert repr(read_tables(tmp_path)) == repr(read_tables(tmp_path / "quiet"))
