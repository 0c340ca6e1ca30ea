"""One asset's folder: written whole or not at all, by one process at a time, with its birth certificate.

The certificate is `asset.json`: name, licence, upstream, the packages it came from with their SHA-256, every
file with its size and SHA-256, and one digest over all files. A folder whose certificate does not fit is not
whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from harness.assets.lock import Asset, Package, recipe_digest
from harness.assets.packages import hash_file
from harness.errors import AssetError

CERTIFICATE = "asset.json"


@contextmanager
def claim(target: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the right to write `target`; calls `waiting` once when another process has it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f".{target.name}.lock").open("w") as file:
        # flock dies with the process: kill -9 must not leave the folder claimed.
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def workplace(target: Path) -> Iterator[Path]:
    """Give an empty folder beside `target`, removed at the end; also removes what a killed process left.

    Call it with `target` claimed.
    """
    prefix = f".{target.name}.work-"
    for left in target.parent.glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=target.parent, ignore_cleanup_errors=True) as name:
        yield Path(name)


def install(built: Path, target: Path) -> None:
    """Move the finished folder `built` to `target`, durable before it has its name; replaces a broken one."""
    for path in [*built.rglob("*"), built]:
        # safetensors writes 0600, but a cache may be shared by several people.
        path.chmod(0o755 if path.is_dir() else 0o644)
        _sync(path)
    if target.exists():
        target.rename(built.with_name("broken"))
    built.rename(target)
    _sync(target.parent)


def certify(folder: Path, asset: Asset, packages: Mapping[Package, str]) -> None:
    """Write a finished folder's certificate; `packages` gives the SHA-256 of the file used of each package."""
    files = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": hash_file(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    certificate = {
        "schema_version": 1,
        "name": asset.name,
        "kind": asset.kind,
        "modality": asset.modality,
        "synthetic": asset.synthetic,
        "licence": asset.licence,
        "upstream": asset.upstream,
        "recipe": asset.recipe,
        "recipe_digest": recipe_digest(asset),
        "sources": [
            {"package": package.name, "version": package.version, "sha256": digest}
            for package, digest in packages.items()
        ],
        "needs": {need.name: recipe_digest(need) for need in asset.needs},
        "digest": hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest(),
        "files": files,
    }
    text = json.dumps(certificate, indent=2, ensure_ascii=False) + "\n"
    (folder / CERTIFICATE).write_text(text, encoding="utf-8")


def missing_part(folder: Path, asset: Asset) -> str | None:
    """Return what keeps `folder` from being whole, or None; sizes are compared, bytes are not read.

    A folder without certificate (someone's own copy of the checkpoint) is whole when it can be loaded at all.
    """
    try:
        text = (folder / CERTIFICATE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return _missing_file(folder, asset)
    try:
        files = json.loads(text)["files"]
        sizes = {str(name): int(entry["bytes"]) for name, entry in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"'{CERTIFICATE}' cannot be read"
    for name, size in sizes.items():
        path = folder / name
        if not path.is_file():
            return f"'{name}' is missing"
        if path.stat().st_size != size:
            return f"'{name}' has {path.stat().st_size} bytes instead of {size}"
    return None


def verify_bytes(folder: Path) -> None:
    """Read every file of a certified folder again; raises `AssetError` naming the first that has changed."""
    certificate = folder / CERTIFICATE
    if not certificate.is_file():
        raise AssetError(f"{folder}: has no {CERTIFICATE}, so that its bytes cannot be checked")
    for name, entry in json.loads(certificate.read_text(encoding="utf-8"))["files"].items():
        path = folder / name
        if not path.is_file() or hash_file(path) != entry["sha256"]:
            raise AssetError(
                f"{path}: is not the file that was written; delete {folder} and fetch the asset again"
            )


def _missing_file(folder: Path, asset: Asset) -> str | None:
    if asset.kind == "data":
        return None if (folder / "examples.parquet").is_file() else "'examples.parquet' is missing"
    if not (folder / "config.json").is_file():
        return "'config.json' is missing"
    return None if any(folder.glob("*.safetensors")) else "'model.safetensors' is missing"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
