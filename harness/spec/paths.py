"""Which files a spec may name: those under its own folder, and those that its user allows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from harness.errors import SpecError
from harness.spec.words import show


def resolve_path(
    text: str, *, base: Path, roots: Sequence[Path], key: str, home: str = "the spec's folder"
) -> Path:
    """Return what a spec in the folder `base` names below one of the `roots`; raises `SpecError` for all else.

    Links are followed first, so that a link inside a folder does not lead out of it unseen. `home` is how the
    message calls the first of the roots.
    """
    if not text or "\0" in text:
        raise SpecError(f"{key} must be the path of a file or a folder (got {show(text)})")
    path = Path(os.path.realpath(base / text))  # Path.resolve raises for links that go round in circles
    if any(path.is_relative_to(folder.resolve()) for folder in roots):
        return path
    folder = path if path.is_dir() else path.parent
    raise SpecError(f"{key}: {show(text)} is outside {home}; allow it with --allow-path {folder}")


def is_folder(model: str, base: Path) -> bool:
    """Return whether a backbone's `model` is a folder, not an asset or a hub id."""
    return model.startswith((".", "/")) or (not model.startswith("asset:") and (base / model).is_dir())
