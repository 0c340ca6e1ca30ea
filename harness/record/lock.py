"""The lock: what a run was made of, so that its tables can be made again without data or weights."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from harness.errors import StorageError
from harness.plan import SCHEMA_VERSION, Survey
from harness.record.files import refuse_strays, storage_faults, write_whole
from harness.spec.words import show

LOCK = "lock.json"
PACKAGES = (
    "finetune-harness",
    "numpy",
    "optuna",
    "pyarrow",
    "ray",
    "scikit-learn",
    "torch",
    "transformers",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A run's spec with all defaults, the folder its relative paths start from, and the facts it was planned on."""

    spec_json: str
    base: Path
    survey: Survey


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What a run's numbers rest on, for whoever wants to get them again; digests by name."""

    seed: int
    spec: str
    data: Mapping[str, str]
    folds: Mapping[str, str]
    weights: Mapping[str, str]
    versions: Mapping[str, str]  # of the packages that are installed
    machine: Mapping[str, str]


def write_lock(folder: Path, lock: Lock) -> None:
    """Write `lock.json`, with hashes, seeds and versions for whoever reads it."""
    spec = json.loads(lock.spec_json)
    content = {
        "schema_version": SCHEMA_VERSION,
        "suite": spec["name"],
        "seed": spec["seed"],
        "spec_sha256": sha256(lock.spec_json.encode()).hexdigest(),
        "spec": spec,
        "base": str(lock.base.resolve()),
        "survey": asdict(lock.survey),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "machine": {"system": platform.system(), "processor": platform.machine()},
    }
    write_whole(folder / LOCK, json.dumps(content, indent=1, ensure_ascii=False).encode())


def read_lock(folder: Path) -> Lock:
    """Return the lock of a run; raises `StorageError` where there is none that can be read."""
    content = _load(folder)
    with _told_as_damage(folder):
        survey = TypeAdapter(Survey).validate_python(content["survey"])
        for found, named in ((survey.tasks, "tasks"), (survey.backbones, "backbones")):
            known = {
                *found,
                *(name for name in content["spec"][named] if f"{named}.{name}" in survey.missing),
            }
            if lacking := sorted(set(content["spec"][named]) - known):
                raise ValueError(f"its survey knows nothing of {named}.{show(lacking[0])[1:-1]}")
        return Lock(spec_json=json.dumps(content["spec"]), base=Path(content["base"]), survey=survey)


def read_provenance(folder: Path) -> Provenance:
    """Return what a run's lock says of its making; raises `StorageError` where there is none that can be read."""
    content = _load(folder)
    with _told_as_damage(folder):
        tasks, backbones = content["survey"]["tasks"], content["survey"]["backbones"]
        return TypeAdapter(Provenance).validate_python(
            {
                "seed": content["seed"],
                "spec": content["spec_sha256"],
                "data": {name: facts["digest"] for name, facts in tasks.items()},
                "folds": {name: facts["folds"] for name, facts in tasks.items()},
                "weights": {name: facts["digest"] for name, facts in backbones.items()},
                "versions": {name: found for name, found in content["versions"].items() if found is not None},
                "machine": content["machine"],
            }
        )


def read_schema(folder: Path) -> int:
    """Return the schema that a run was written in; raises `StorageError` where its lock cannot be read."""
    return int(_parse(folder)["schema_version"])


def _load(folder: Path) -> dict[str, Any]:
    """Return the content of a run's lock, of this version's schema."""
    content = _parse(folder)
    if content["schema_version"] != SCHEMA_VERSION:
        raise StorageError(
            f"{folder / LOCK}: was written in schema {show(content['schema_version'])}, "
            f"this version reads {SCHEMA_VERSION}"
        )
    return content


def _parse(folder: Path) -> dict[str, Any]:
    path = folder / LOCK
    refuse_strays(folder)
    if not path.exists():
        raise StorageError(f"{folder}: is no run, for it holds no {LOCK}; name a suite under --results")
    with storage_faults(path), _told_as_damage(folder):
        content: dict[str, Any] = json.loads(path.read_bytes())
        int(content["schema_version"])
    return content


@contextmanager
def _told_as_damage(folder: Path) -> Iterator[None]:
    """Turn what a lock raises that is not as we write it into a StorageError: a run may be anybody's."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        told = f"{error.error_count()} faults" if isinstance(error, ValidationError) else str(error)
        raise StorageError(
            f"{folder / LOCK}: is damaged ({told}); `harness run` with the run's spec mends it"
        ) from None


def _version(package: str) -> str | None:
    """Return a package's version, None where it is not installed as a package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
