"""Where assets lie: below `$HARNESS_ASSETS`, or in the cache.

`$HARNESS_ASSETS/<name>` comes first: a folder that may be shared, read-only, or filled by hand. The cache is
`$XDG_CACHE_HOME/harness/assets/<name>-<digest of its recipe>`, so that a newer recipe never meets older
bytes.
"""

from __future__ import annotations

import os
from pathlib import Path

from harness.assets.folder import missing_part
from harness.assets.lock import Asset, recipe_digest
from harness.errors import AssetError


def find_folder(asset: Asset) -> Path | None:
    """Return the folder in which an asset lies whole, or None when it must be built.

    Raises `AssetError` when `HARNESS_ASSETS` names no folder, or holds the asset but not all of it.
    """
    own = _own_folder(asset)
    if own is not None:
        return own
    cached = cached_folder(asset)
    return cached if is_whole(cached, asset) else None


def cached_folder(asset: Asset) -> Path:
    """Return where the asset's folder is, or will be, in the cache."""
    return cache_root() / f"{asset.name}-{recipe_digest(asset)}"


def cache_root() -> Path:
    """Return the folder below which fetched assets lie."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification says that a relative path is to be ignored.
    base = Path(home) if Path(home).is_absolute() else Path.home() / ".cache"
    return base / "harness" / "assets"


def is_whole(folder: Path, asset: Asset) -> bool:
    """Return whether `folder` exists and nothing in it is missing."""
    return folder.is_dir() and missing_part(folder, asset) is None


def list_downloads(asset: Asset) -> tuple[Asset, ...]:
    """Return the assets, this one and those it needs, whose packages must be fetched before it can be used."""
    if find_folder(asset) is not None:
        return ()
    below = tuple(entry for need in asset.needs for entry in list_downloads(need))
    return (*below, asset) if asset.members else below


def _own_folder(asset: Asset) -> Path | None:
    """Return the asset's folder below HARNESS_ASSETS, with or without the digest in its name, or None."""
    home = os.environ.get("HARNESS_ASSETS")
    if not home:
        return None
    root = Path(home).expanduser().absolute()
    if not root.is_dir():
        raise AssetError(f"HARNESS_ASSETS is '{home}', which is no folder")
    for folder in (root / asset.name, root / cached_folder(asset).name):
        if not folder.is_dir():
            continue
        fault = missing_part(folder, asset)
        if fault is not None:
            raise AssetError(f"{folder}: {fault}; complete the folder, or remove it from HARNESS_ASSETS")
        return folder
    return None
