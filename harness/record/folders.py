"""Folders of runs: one found by its name, and the spec and the plan that its lock holds."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from harness.errors import SpecError, did_you_mean
from harness.record.files import CLAIM
from harness.record.lock import LOCK, Lock
from harness.spec.models import Spec, spec_model


def find_run(name: str, *, results: Path) -> Path:
    """Return the folder of a run, given as a name under `results` or as a path; raises `SpecError` if there is none."""
    return _find(name, results, (LOCK,))


def find_begun(name: str, *, results: Path) -> Path:
    """Return the folder of a run as `find_run` does, of one too that has only been claimed yet."""
    return _find(name, results, (LOCK, CLAIM))


def read_spec(folder: Path, lock: Lock) -> Spec:
    """Return the spec of a run; raises `SpecError` where a plug-in that it names is unknown to this process."""
    try:
        return spec_model().model_validate_json(lock.spec_json)
    except ValidationError as error:
        fault = error.errors()[0]
        raise SpecError(
            f"{folder}: its spec cannot be read by this version with the plug-ins that it knows "
            f"({'.'.join(map(str, fault['loc']))}: {fault['msg']}): give the run's --plugins"
        ) from None


def _find(name: str, results: Path, marks: tuple[str, ...]) -> Path:
    for folder in (results / name, Path(name)):
        if any((folder / mark).exists() for mark in marks):
            return folder
    known = sorted({found.parent.name for mark in marks for found in results.glob(f"*/{mark}")})
    hint = did_you_mean(name, known) or (f" Known: {', '.join(known)}." if known else " There is none yet.")
    raise SpecError(f"no run is called '{name}' under {results}.{hint}")
