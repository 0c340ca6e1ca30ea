"""Plug-ins from a folder outside the package: one file each, found by being there."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from harness import plugins
from harness.cli.main import run
from harness.errors import SpecError

READER = '''
"""A log: a level, a blank, a message."""

from __future__ import annotations

from pathlib import Path

from harness.examples import Examples, Modality, build_examples
from harness.spec.options import DataOptions, SourcePath

MODALITIES: tuple[Modality, ...] = ("text",)
COLUMNS = False


class Options(DataOptions):
    """A log, whose messages are texts and whose levels are labels."""

    log: SourcePath
    """The file, relative to the spec's folder."""


def read(options: Options, *, base: Path, modality: Modality) -> Examples:
    """Return the log's lines."""
    lines = (base / options.log).read_text(encoding="utf-8").splitlines()
    pairs = [line.split(" ", 1) for line in lines]
    return build_examples(inputs=[text for _, text in pairs], targets=[level for level, _ in pairs])
'''

TASK = '''
"""Messages, each with the level at which it should have been logged."""

from __future__ import annotations

from typing import Literal

from harness.spec.options import TaskOptions

MODALITY = "text"
TARGET = "classes"
METRIC = "worst-class"
MODEL = "AutoModelForSequenceClassification"
PIPELINE = "text-classification"


class Options(TaskOptions):
    """Messages, each with the level at which it should have been logged."""

    type: Literal["log-level"]
    """The task type's name."""
    max_tokens: int = 16
    """Messages are cut to this many tokens."""
'''

METRIC = '''
"""The recall of the class that is found least often."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

TARGETS: Literal["classes", "values"] = "classes"
HIGHER_IS_BETTER = True
BOUNDS = (0.0, 1.0)


def score(predictions: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
    """Return the lowest recall of the classes that occur."""
    right = predictions.argmax(axis=1) == targets
    kinds = [targets == kind for kind in np.unique(targets[weights > 0])]
    return min((float(weights[kind] @ right[kind] / weights[kind].sum()) for kind in kinds), default=math.nan)
'''

SPEC = """\
version: 1
name: logs
tasks:
  levels: {type: log-level, data: {log: service.log}, metrics: [accuracy]}
backbones:
  bert: {model: tiny-bert}
arms:
  full: {epochs: 2, head_lr: {log: [1e-2, 1e-1]}, batch_size: 8}
baselines: [majority, classical]
protocol: {folds: 2}
search: {trials: 1}
compute: {workers: 1, threads: 1}
"""


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """What a test adds is unknown to the next one."""

    def forget() -> None:
        plugins._sources.cache_clear()
        plugins.find.cache_clear()
        for name in [name for name in sys.modules if name.startswith("harness_plugins.")]:
            del sys.modules[name]

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(plugins, "_folders", [])
    forget()
    yield
    forget()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three plug-ins, one file each."""
    for name, text in (("readers/log", READER), ("tasks/log_level", TASK), ("metrics/worst_class", METRIC)):
        file = tmp_path / "plugins" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text).lstrip(), encoding="utf-8")
    return tmp_path / "plugins"


@pytest.fixture
def spec(tmp_path: Path, tiny_bert: Path) -> Path:
    (tmp_path / "tiny-bert").symlink_to(tiny_bert)
    lines = [f"{'error a bad cold' if row % 2 else 'info a fine warm'} day {row}" for row in range(40)]
    (tmp_path / "service.log").write_text("\n".join(lines) + "\n")
    (tmp_path / "logs.yaml").write_text(SPEC)
    return tmp_path / "logs.yaml"


def call(*arguments: object) -> int:
    return run([str(argument) for argument in arguments])


def test_a_run_uses_a_reader_a_task_type_and_a_metric_that_the_package_does_not_have(
    folder: Path, spec: Path, tiny_bert: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = spec.parent / "results"
    flags = ("--results", results, "--plugins", folder, "--allow-path", tiny_bert)
    assert call("run", spec, *flags, "--json") == 0
    table = json.loads(capsys.readouterr().out)
    assert [(task["type"], task["metric"]) for task in table["tasks"]] == [("log-level", "worst-class")]
    scores = {cell["arm"]: cell["score"] for cell in table["cells"]}
    assert scores["majority"] == 0.0  # the class that is not the most frequent is never found
    assert scores["classical"] == 1.0
    assert scores["full"] is not None


def test_workers_know_the_plugins_of_their_driver(folder: Path, spec: Path, tiny_bert: Path) -> None:
    from harness.learn.sources import Source, read_examples

    plugins.add_folder(folder)
    from harness.assets.progress import SILENCE
    from harness.spec.load import load_spec
    from harness.supply import open_source

    source = open_source(
        load_spec(spec, allowed=[tiny_bert]), base=spec.parent, offline=True, progress=SILENCE
    )
    assert isinstance(source, Source)
    plugins._folders.clear()
    plugins._sources.cache_clear()
    plugins.find.cache_clear()
    examples = read_examples(source.spec(), "levels", base=source.base)
    assert set(examples.targets) == {"info", "error"}


def test_without_the_folder_the_spec_is_refused(
    spec: Path, tiny_bert: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("validate", spec, "--allow-path", tiny_bert) == 2
    assert "unknown type 'log-level'" in capsys.readouterr().err


def test_faults_of_a_plugins_part_have_their_places(
    folder: Path, spec: Path, tiny_bert: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec.write_text(SPEC.replace("log: service.log}", "log: service.log}, max_tokns: 8"))
    assert call("validate", spec, "--plugins", folder, "--allow-path", tiny_bert) == 2
    assert "Did you mean 'max_tokens'" in capsys.readouterr().err


def test_a_name_is_the_files_name_with_hyphens(folder: Path) -> None:
    plugins.add_folder(folder)
    assert {"log"} <= set(plugins.names("readers"))
    assert {"log-level"} <= set(plugins.names("tasks"))
    assert plugins.find("metrics", "worst-class").HIGHER_IS_BETTER is True


def test_the_packages_own_plugins_are_not_replaced(folder: Path) -> None:
    (folder / "metrics" / "accuracy.py").write_text("raise SystemExit('never imported')\n")
    plugins.add_folder(folder)
    assert plugins.find("metrics", "accuracy").__name__ == "harness.metrics.accuracy"


def test_files_with_an_underscore_in_front_are_no_plugins(folder: Path) -> None:
    (folder / "metrics" / "_parts.py").write_text("")
    plugins.add_folder(folder)
    assert not any("parts" in name for name in plugins.names("metrics"))


def test_a_folder_without_plugins_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="holds none of the folders"):
        plugins.add_folder(tmp_path)


@pytest.mark.parametrize("verb", ["rank", "report"])
def test_a_run_of_plugins_is_judged_again_with_them(
    verb: str, folder: Path, spec: Path, tiny_bert: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = spec.parent / "results"
    assert call("run", spec, "--results", results, "--plugins", folder, "--allow-path", tiny_bert, "-q") == 0
    capsys.readouterr()
    assert call(verb, results / "logs", "--plugins", folder) == 0
    assert "worst-class" in capsys.readouterr().out


def test_a_run_whose_plugins_are_not_given_says_what_it_lacks(
    folder: Path, spec: Path, tiny_bert: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = spec.parent / "results"
    assert call("run", spec, "--results", results, "--plugins", folder, "--allow-path", tiny_bert, "-q") == 0
    capsys.readouterr()
    plugins._folders.clear()
    plugins._sources.cache_clear()
    plugins.find.cache_clear()
    assert call("rank", results / "logs") == 2
    assert "--plugins" in capsys.readouterr().err


@pytest.mark.whole
def test_ray_workers_use_the_plugins_of_their_driver(folder: Path, spec: Path, tiny_bert: Path) -> None:
    results = spec.parent / "results"
    flags = ("--results", results, "--plugins", folder, "--allow-path", tiny_bert, "--workers", 2)
    assert call("run", spec, *flags) == 0
    assert (results / "logs" / "table.json").exists()


def test_an_editors_schema_knows_what_the_package_does_not_have(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("schema") == 0
    assert "log-level" not in capsys.readouterr().out
    assert call("schema", "--plugins", folder) == 0
    parts = json.loads(capsys.readouterr().out)["$defs"]
    assert (
        parts["readers.log"]["properties"]["log"]["description"] == "The file, relative to the spec's folder."
    )
    assert any(
        part.get("properties", {}).get("type", {}).get("const") == "log-level" for part in parts.values()
    )
    assert call("schema", "--reference", "--plugins", folder) == 0
    assert "`log-level`" in capsys.readouterr().out
