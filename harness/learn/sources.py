"""Find what a spec names: a task's examples and a backbone's folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from harness import plugins
from harness.assets.store import fetch_asset
from harness.errors import ModelError
from harness.examples import Examples, take_sample
from harness.learn.seeds import Purpose, derive_seed
from harness.model.checkpoint import check_checkpoint
from harness.model.hub import find_hub_snapshot
from harness.spec.choose import reader_of
from harness.spec.models import Spec, spec_model

SHELF = "shelf"  # its folder's name in the cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A spec as a worker needs it: as text, for its model is made at run time, with the folders around it."""

    spec_json: str
    base: Path  # the spec's folder: relative paths start there
    cache: Path  # where the shelf lies
    plugin_folders: tuple[Path, ...] = ()
    offline: bool = True
    data: tuple[tuple[str, str], ...] = ()  # each task's digest when the run was planned
    weights: tuple[tuple[str, str], ...] = ()  # each backbone's digest then
    lend: Callable[[str, Path], bool] | None = (
        None  # gives what another machine's shelf holds: `learn.shelf.Lend`
    )

    def spec(self) -> Spec:
        """Return the spec itself."""
        for folder in self.plugin_folders:
            plugins.add_folder(folder)
        return _parse(self.spec_json)


@cache
def _parse(spec_json: str) -> Spec:
    return spec_model().model_validate_json(spec_json)


def task_type(spec: Spec, task: str) -> ModuleType:
    """Return the plug-in of a task's type."""
    return plugins.find("tasks", spec.tasks[task].type)


def read_examples(spec: Spec, task: str, *, base: Path) -> Examples:
    """Return a task's examples, sampled if the spec says so."""
    data = spec.tasks[task].data
    name = reader_of(data)
    assert name is not None, "a spec's data names one reader"
    reader = plugins.find("readers", name)
    examples: Examples = reader.read(data, base=base, modality=task_type(spec, task).MODALITY)
    if data.take is None:
        return examples
    stratified = plugins.find("targets", task_type(spec, task).TARGET).STRATIFIED
    return take_sample(
        examples, data.take, derive_seed(spec.seed, Purpose.SAMPLE, "0"), stratified=stratified
    )


def find_checkpoint(spec: Spec, backbone: str, *, base: Path, offline: bool) -> Path:
    """Return the folder of a spec's backbone, checked to be safe to load."""
    wanted = spec.backbones[backbone]
    return locate_checkpoint(wanted.model, wanted.revision, base=base, offline=offline)


def locate_checkpoint(model: str, revision: str | None, *, base: Path, offline: bool) -> Path:
    """Return the folder of `asset:NAME`, a folder below `base` or a hub id, checked to be safe to load."""
    folder = _locate(model, revision, base=base, offline=offline)
    check_checkpoint(folder)
    return folder


def _locate(model: str, revision: str | None, *, base: Path, offline: bool) -> Path:
    if model.startswith("asset:"):
        return fetch_asset(model.removeprefix("asset:"), offline=offline)
    folder = base / model
    if folder.is_dir():
        return folder
    if model.startswith((".", "/")):
        raise ModelError(f"{folder}: there is no such folder")
    return find_hub_snapshot(model, revision=revision, offline=offline)
