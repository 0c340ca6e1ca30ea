"""The command line in this process, and one finished run that tests read or copy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.cli.main import run

SUITE = """\
version: 1
name: small
description: A tiny BERT on texts that a word gives away.
tasks:
  mood:
    type: text-classification
    data: {csv: texts.csv, text: text, label: label, group: author}
  score:
    type: text-regression
    data: {csv: texts.csv, text: text, label: score}
    metric: rmse
backbones:
  bert: {model: tiny-bert}
arms:
  head-only: {freeze_depth: all, epochs: 2, head_lr: {log: [1e-2, 1e-1]}, batch_size: 8}
  full: {freeze_depth: 0, epochs: 2, head_lr: 1e-2, backbone_lr: {log: [1e-3, 1e-2]}, batch_size: 8}
baselines: [majority, probe]
protocol: {folds: 2}
search: {trials: 1, sampler: random, pruner: none}
compute: {workers: 1, threads: 1}
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command line ended, and what it wrote."""

    code: int
    out: str
    err: str

    def document(self) -> Any:
        """Return the one JSON document on stdout."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with a spec that can be run, and the results that belong to it."""

    spec: Path
    results: Path

    @property
    def run(self) -> Path:
        return self.results / "small"

    def folds(self) -> int:
        """Return how many folds the ledger holds."""
        return sum('"fold"' in line for line in (self.run / "ledger.jsonl").read_text().splitlines())


@pytest.fixture(autouse=True)
def own_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches and relative paths of a test lie in its own folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("HARNESS_ASSETS", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def harness(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """A command line, called as a function."""

    def call(*arguments: object) -> Answer:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        return Answer(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def _finished(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    """A suite that was run once: its folder, its exit code, and what it printed."""
    import contextlib
    import io

    folder = tmp_path_factory.mktemp("small")
    write_suite(folder, tiny_bert)
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.setenv("COLUMNS", "100")
        code = run(["run", str(folder / "small.yaml"), "--results", str(folder / "results")])
    return folder, code, out.getvalue()


@pytest.fixture
def finished(_finished: tuple[Path, int, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A copy of the finished run, in a folder that the test may change."""
    folder = tmp_path / "copy"
    shutil.copytree(_finished[0], folder)
    lock = folder / "results" / "small" / "lock.json"
    lock.write_text(json.dumps(json.loads(lock.read_text()) | {"base": str(folder)}))  # as if it had run here
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    return Place(folder / "small.yaml", folder / "results")


@pytest.fixture
def first_answer(_finished: tuple[Path, int, str]) -> Answer:
    """What the command said that made the finished run."""
    return Answer(_finished[1], _finished[2], "")


def write_suite(folder: Path, checkpoint: Path) -> Path:
    """Write a spec, its data and its checkpoint into a folder, and return the spec."""
    shutil.copytree(checkpoint, folder / "tiny-bert")
    rows = ["text,label,score,author"]
    for number in range(48):
        good = number % 2
        words = "good fine warm" if good else "bad grim cold"
        rows.append(
            f"the film was {words} {number},{'pos' if good else 'neg'},{good + number / 100},a{number % 10}"
        )
    (folder / "texts.csv").write_text("\n".join(rows) + "\n")
    spec = folder / "small.yaml"
    spec.write_text(SUITE)
    return spec


@pytest.fixture
def suite(tmp_path: Path, tiny_bert: Path) -> Place:
    """A suite that has not been run."""
    return Place(write_suite(tmp_path, tiny_bert), tmp_path / "results")
