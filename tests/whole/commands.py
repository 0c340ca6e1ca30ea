"""`harness run` as a person starts it: a command of a session of its own, which tests signal and kill."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.plan import expand
from harness.record.history import History
from harness.record.ledger import LEDGER, read_history
from harness.record.lock import read_lock
from harness.record.predictions import read_predictions
from harness.spec.models import spec_model

ROOT = Path(__file__).parents[2]
LIMIT_S = 120
HARNESS = "import sys; from harness.cli.main import main; sys.exit(main())"
WORKER = "ray::FoldWorker"  # how Ray 2.60 names an actor's process
AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
SUITE = """\
version: 1
name: small
tasks:
  mood:
    type: text-classification
    data: {csv: texts.csv, text: text, label: label, group: author}
    metric: log-loss
  score:
    type: text-regression
    data: {csv: texts.csv, text: text, label: score}
    metric: rmse
backbones:
  bert: {model: tiny-bert}
arms:
  head-only: {freeze_depth: all, epochs: 2, head_lr: {log: [1e-3, 1e-1]}, batch_size: 8}
  depth:
    freeze_depth: {int: [0, all]}
    epochs: 2
    head_lr: {log: [1e-3, 1e-1]}
    backbone_lr: {log: [1e-4, 1e-2]}
    dropout: {float: [0, 0.3]}
    batch_size: 8
baselines: [majority]
protocol: {folds: 3}
search: {trials: 4, startup: 2, batch: 2, pruner: median}
compute: {threads: 1}
"""
BASELINE_FOLDS = 2 * 3  # which come first


def write_suite(folder: Path, checkpoint: Path) -> None:
    """Write a spec, its data and its checkpoint into a folder."""
    shutil.copytree(checkpoint, folder / "tiny-bert")
    rows = ["text,label,score,author"]
    for number in range(48):
        label, words = ("pos", "good fine warm") if number % 2 else ("neg", "bad grim cold")
        rows.append(f"the film was {words} {number},{label},{number % 2 + number / 100},a{number % 10}")
    (folder / "texts.csv").write_text("\n".join(rows) + "\n")
    (folder / "small.yaml").write_text(SUITE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command that runs, or has ended; `folder` holds its spec, its caches and its results."""

    process: subprocess.Popen[str]
    folder: Path

    @property
    def run(self) -> Path:
        """The folder of the run."""
        return self.folder / "results" / "small"

    def wait_for_folds(self, folds: int) -> None:
        """Wait until the ledger holds so many folds; the command must be running still."""
        wait_for(lambda: self.ended or count_folds(self.run) >= folds, f"{folds} folds")
        assert not self.ended, self.said()

    @property
    def ended(self) -> bool:
        """Whether the command is no more."""
        return self.process.poll() is not None

    def interrupt(self) -> None:
        """Press Ctrl-C: a terminal sends it to every process in front."""
        os.killpg(self.process.pid, signal.SIGINT)

    def finish(self, limit_s: float = LIMIT_S) -> int:
        """Wait for the end and return the exit code."""
        return self.process.wait(limit_s)

    def said(self) -> str:
        """Return what the commands in this folder have written so far."""
        return (self.folder / "said.txt").read_text()

    def left(self) -> dict[int, str]:
        """Return the processes of the command's session but itself, by pid with their command lines."""
        found = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it ended meanwhile
                state, _, _, session = stat.read_text().rsplit(")", 1)[1].split()[:4]
                line = (stat.parent / "cmdline").read_text().replace("\0", " ").strip()
                if int(session) == self.process.pid and state != "Z":
                    found[int(stat.parent.name)] = line
        found.pop(self.process.pid, None)
        return found

    def workers(self) -> dict[int, str]:
        """Return the processes of Ray's workers that fold jobs can run in."""
        return {pid: line for pid, line in self.left().items() if line.startswith(WORKER)}

    def working(self) -> dict[int, str]:
        """Return what is left but for Ray's agents, which may outlive their raylet by a hundred seconds."""
        return {pid: line for pid, line in self.left().items() if not line.startswith(AGENTS)}


def start_command(folder: Path, workers: int | None, *flags: str) -> Command:
    """Start `harness run` on the spec in a folder, with its caches and results there; None: as many as it takes."""
    with (folder / "said.txt").open("a") as said:
        process = subprocess.Popen(
            [*_line(workers), *flags],
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            text=True,
            start_new_session=True,
        )
    return Command(process=process, folder=folder)


def start_in_shell(folder: Path, workers: int, redirections: str, *flags: str, **variables: str) -> Command:
    """Start `harness run` as a shell does with redirections; a terminal among them becomes the one that rules it."""
    process = subprocess.Popen(
        ["sh", "-c", f'exec "$0" "$@" {redirections}', *_line(workers), *flags],
        cwd=folder,
        env=_environment(folder) | variables,
        text=True,
        start_new_session=True,
    )
    return Command(process=process, folder=folder)


def run_harness(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command line in a folder to its end."""
    return subprocess.run(
        [sys.executable, "-P", "-c", HARNESS, *arguments],
        cwd=folder,
        env=_environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def _line(workers: int | None) -> list[str]:
    given = [] if workers is None else ["--workers", str(workers)]
    return [sys.executable, "-P", "-c", HARNESS, "run", "small.yaml", *given, "--offline"]


def _environment(folder: Path) -> dict[str, str]:
    return os.environ | {
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
    }


def end_command(command: Command) -> None:
    """End what a failing test leaves behind."""
    for pid in (command.process.pid, *command.left()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    command.process.wait()


def wait_for(reached: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
    """Wait until a condition holds, and fail where it does not in time."""
    end = time.monotonic() + limit_s
    while not reached():
        assert time.monotonic() < end, f"no {what} within {limit_s} s"
        time.sleep(0.05)


def count_folds(run: Path) -> int:
    """Return how many folds a run's ledger acknowledges."""
    path = run / LEDGER
    return path.read_bytes().count(b'"event":"fold"') if path.exists() else 0


def check_complete(run: Path) -> None:
    """Every study of the plan has its trials, every trial that was not pruned its folds, each fold once."""
    lock = read_lock(run)
    plan = expand(spec_model().model_validate_json(lock.spec_json), lock.survey)
    history = read_history(run)
    assert history.damage == ()
    trials = {(study.id, trial): study for study in plan.studies for trial in range(study.trials)}
    assert set(history.trials) == set(trials)
    for key, study in trials.items():
        record = history.trials[key]
        steps = [(fold.repeat, fold.fold) for fold in record.folds]
        assert record.state in ("complete", "pruned")
        assert all(fold.state == "ok" for fold in record.folds), record
        assert sorted(steps) == [(0, fold) for fold in range(len(steps))]
        assert len(steps) == study.folds or record.state == "pruned"
        for fold in record.folds:
            read_predictions(run, fold.key, fold.predictions_sha256)
    assert count_folds(run) == sum(len(record.folds) for record in history.trials.values())


def read_table(run: Path) -> Any:
    """Return a run's table without its timings."""
    table = json.loads((run / "table.json").read_text())
    for cell in table["cells"]:
        del cell["fit_s"]
        if cell["deploy"] is not None:
            del cell["deploy"]["fit_s"]
    return table


def assert_kept(before: History, after: History) -> None:
    """What was acknowledged is there still, unchanged."""
    for key, record in before.trials.items():
        assert after.trials[key].candidate == record.candidate
        kept = after.trials[key].folds[: len(record.folds)]
        assert repr(kept) == repr(record.folds)  # an undefined metric is NaN, which equals nothing
