"""The door to the assets: find one by name, see whether it is here, fetch it once.

Light: no torch, no transformers; a recipe's module is imported only when its asset is built.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.assets.build import provide
from harness.assets.cache import find_folder, list_downloads
from harness.assets.folder import verify_bytes
from harness.assets.lock import Asset, find_entry, list_entries
from harness.assets.progress import SILENCE, Progress
from harness.errors import AssetError

__all__ = [
    "Asset",
    "asset_folder",
    "download_size",
    "fetch_asset",
    "find_asset",
    "list_assets",
    "verify_asset",
]


def list_assets() -> tuple[Asset, ...]:
    """Return all models and data that can be named in a spec."""
    return tuple(asset for asset in list_entries() if asset.kind != "tool")


def find_asset(name: str) -> Asset:
    """Return the asset `name`; raises `SpecError` with the nearest known name when there is none."""
    return find_entry(name)


def asset_folder(name: str) -> Path | None:
    """Return the folder in which an asset lies whole, or None when it must be fetched or built first.

    Raises `AssetError` when `HARNESS_ASSETS` names no folder, or holds the asset but not all of it.
    """
    return find_folder(find_entry(name))


def download_size(names: Iterable[str]) -> int:
    """Return how many bytes must still be fetched to have all these assets; each package counts once."""
    assets = [asset for name in names for asset in list_downloads(find_entry(name))]
    packages = {package for asset in assets for package in asset.alternatives[0]}
    return sum(package.bytes for package in packages)


def fetch_asset(name: str, *, offline: bool, progress: Progress = SILENCE) -> Path:
    """Return the folder of an asset, fetched and converted once for this machine.

    `progress` is told what takes time. Offline, an asset that needs no download is still
    built. Raises `AssetError` in one line that says what to do.
    """
    return provide(find_entry(name), offline=offline, progress=progress)


def verify_asset(name: str) -> None:
    """Read an asset's files again and compare their hashes; raises `AssetError` when one has changed."""
    folder = asset_folder(name)
    if folder is None:
        raise AssetError(f"asset '{name}' is not on this machine: `harness assets fetch {name}`")
    verify_bytes(folder)
