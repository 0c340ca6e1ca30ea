"""The lock: what a run was made of, so that its tables can be made again without data or weights."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from harness.errors import StorageError
from harness.plan import SCHEMA_VERSION, BackboneFacts, Survey, TaskFacts
from harness.record.files import write_whole

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
    return Lock(
        spec_json=json.dumps(content["spec"]),
        base=Path(content["base"]),
        survey=_read_survey(content["survey"]),
    )


def read_provenance(folder: Path) -> Provenance:
    """Return what a run's lock says of its making; raises `StorageError` where there is none that can be read."""
    content = _load(folder)
    tasks, backbones = content["survey"]["tasks"], content["survey"]["backbones"]
    return Provenance(
        seed=content["seed"],
        spec=content["spec_sha256"],
        data={name: facts["digest"] for name, facts in tasks.items()},
        folds={name: facts["folds"] for name, facts in tasks.items()},
        weights={name: facts["digest"] for name, facts in backbones.items()},
        versions={name: version for name, version in content["versions"].items() if version is not None},
        machine=content["machine"],
    )


def read_schema(folder: Path) -> int:
    """Return the schema that a run was written in; raises `StorageError` where its lock cannot be read."""
    return int(_parse(folder)["schema_version"])


def _load(folder: Path) -> dict[str, Any]:
    """Return the content of a run's lock, of this version's schema."""
    content = _parse(folder)
    if content["schema_version"] != SCHEMA_VERSION:
        raise StorageError(
            f"{folder / LOCK}: was written in schema {content['schema_version']}, this version reads {SCHEMA_VERSION}"
        )
    return content


def _parse(folder: Path) -> dict[str, Any]:
    path = folder / LOCK
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise StorageError(
            f"{folder}: is no run, for it holds no {LOCK}; name a suite under --results"
        ) from None
    except ValueError as error:
        raise StorageError(
            f"{path}: is damaged ({error}); `harness run` with the run's spec mends it"
        ) from None
    return content


def _read_survey(raw: dict[str, Any]) -> Survey:
    lists = ("labels", "metrics", "notes")

    def read_task(facts: dict[str, Any]) -> TaskFacts:
        return TaskFacts(**facts | {key: tuple(facts[key]) for key in lists})

    return Survey(
        tasks={name: read_task(facts) for name, facts in raw["tasks"].items()},
        backbones={name: BackboneFacts(**facts) for name, facts in raw["backbones"].items()},
    )


def _version(package: str) -> str | None:
    """Return a package's version, None where it is not installed as a package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
