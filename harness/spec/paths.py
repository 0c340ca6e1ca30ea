"""Which files a spec may name: those under its own folder, and those that its user allows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.errors import SpecError
from harness.spec.words import show


def resolve_path(text: str, *, base: Path, allowed: Sequence[Path] = (), key: str) -> Path:
    """Return the file or folder that a spec in the folder `base` names; raises `SpecError` where it may not.

    Links are followed first, so that a link inside the folder does not lead out of it unseen.
    """
    if not text or "\0" in text:
        raise SpecError(f"{key} must be the path of a file or a folder (got {show(text)})")
    path = (base / text).resolve()
    if any(path.is_relative_to(folder.resolve()) for folder in (base, *allowed)):
        return path
    folder = path if path.is_dir() else path.parent
    raise SpecError(f"{key}: {show(text)} is outside the spec's folder; allow it with --allow-path {folder}")


def is_folder(model: str, base: Path) -> bool:
    """Return whether a backbone's `model` is a folder, not an asset or a hub id."""
    return model.startswith((".", "/")) or (not model.startswith("asset:") and (base / model).is_dir())
