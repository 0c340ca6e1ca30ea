"""Find plug-ins: a name is a module, found by being there.

A plug-in is one Python file. Its name in a spec is the file's name with "-" for "_". It is looked for, in this
order, in the package's own folder of that kind (`harness/readers/csv.py` is the reader `csv`), among the entry
points of the group `harness.<kind>`, and in the folders given with `--plugins DIR` (`DIR/readers/log.py`).
Plug-in folders never come from a spec: a spec is data and must not choose code.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Literal

from harness.errors import SpecError, did_you_mean

Kind = Literal["readers", "tasks", "targets", "metrics", "methods"]
KINDS: tuple[Kind, ...] = ("readers", "tasks", "targets", "metrics", "methods")

_folders: list[
    Path
] = []  # the process's --plugins folders; the one piece of mutable state, set before specs are read


def add_folder(folder: Path) -> None:
    """Make the plug-ins below `folder` known to this process; it holds `readers/`, `tasks/`, …."""
    folder = folder.resolve()
    if not any((folder / kind).is_dir() for kind in KINDS):
        raise SpecError(f"--plugins {folder}: holds none of the folders {', '.join(KINDS)}")
    if folder not in _folders:
        _folders.append(folder)
        _sources.cache_clear()


def folders() -> tuple[Path, ...]:
    """Return the plug-in folders of this process, so that a worker can be given the same."""
    return tuple(_folders)


def names(kind: Kind) -> tuple[str, ...]:
    """Return the names of all plug-ins of a kind, sorted."""
    return tuple(sorted(_sources(kind)))


@cache
def find(kind: Kind, name: str) -> ModuleType:
    """Import and return the plug-in `name`; raises `SpecError` with the known names when there is none."""
    sources = _sources(kind)
    if name not in sources:
        hint = did_you_mean(name, tuple(sources)) or f" Known: {', '.join(sorted(sources))}."
        raise SpecError(f"no {kind.removesuffix('s')} is called '{name}'.{hint}")
    source = sources[name]
    if isinstance(source, str):
        return importlib.import_module(source)
    return _load(kind, source)


@cache
def _sources(kind: Kind) -> dict[str, str | Path]:
    """Map every plug-in's name to the module or the file that holds it; the package's own win over later ones."""
    sources: dict[str, str | Path] = {}
    for folder in _folders:
        sources |= {_name(file): file for file in (folder / kind).glob("[!_]*.py")}
    sources |= {entry.name: entry.value for entry in entry_points(group=f"harness.{kind}")}
    own = Path(__file__).parent / kind
    return sources | {_name(file): f"harness.{kind}.{file.stem}" for file in own.glob("[!_]*.py")}


def _name(file: Path) -> str:
    return file.stem.replace("_", "-")


def _load(kind: Kind, file: Path) -> ModuleType:
    """Import a plug-in that lies outside any package, under a name that shadows nothing."""
    spec = importlib.util.spec_from_file_location(f"harness_plugins.{kind}.{file.stem}", file)
    if spec is None or spec.loader is None:
        raise SpecError(f"--plugins: {file} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
