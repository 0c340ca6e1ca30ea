"""The lock: every asset, the pinned packages it comes from, the hash of every byte that is used.

`lock.toml` beside this file is the only place that names a package, a version or a hash. A **package** is a
wheel or an sdist on any index that pip can reach; a **member** is one file inside it; an asset's **places**
for a member are tried in order, so that a second package with the same bytes can stand in for the first.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

from harness.errors import SpecError, did_you_mean
from harness.examples import Modality

Kind = Literal["model", "data", "tool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A pinned wheel or sdist; several hashes mean one file for each platform."""

    name: str
    version: str
    form: Literal["wheel", "sdist"]
    sha256: tuple[str, ...]
    bytes: int
    """The size of the largest of its files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of a package, or a folder: then `sha256` is "" and the package's own hash vouches for it."""

    name: str
    sha256: str
    places: tuple[tuple[str, str], ...]
    """Pairs of package and path inside it, in the order in which they are tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A checkpoint or a data set that can be fetched by name, and what to know before using it."""

    name: str
    kind: Kind
    modality: Modality
    description: str
    licence: str
    """The licence of the weights or the data upstream, not of the package that carries them."""
    upstream: str
    """The hub id or the address where the same bytes, or their paper, are published."""
    synthetic: bool
    """True where no human or camera made the examples."""
    download_bytes: int
    """Bytes to fetch on a machine that has none of it, the largest platform's."""
    recipe: str
    """`module:function` in `harness.assets.recipes`."""
    revision: int
    """Counts up when the recipe's result changes, so that a cache filled by an older one is not used."""
    members: tuple[Member, ...]
    needs: tuple[str, ...]
    """Other assets it is built from."""


def list_entries() -> tuple[Asset, ...]:
    """Return every asset of the lock, tools included, in the lock's order."""
    return tuple(_lock()[0].values())


def find_entry(name: str) -> Asset:
    """Return the asset or tool `name`; raises `SpecError` with the nearest name when there is none."""
    entries = _lock()[0]
    if name not in entries:
        known = tuple(entry.name for entry in entries.values() if entry.kind != "tool")
        hint = did_you_mean(name, known) or f" Known: {', '.join(known)}."
        raise SpecError(f"no asset is called '{name}'.{hint}")
    return entries[name]


def find_package(name: str) -> Package:
    """Return the pinned package `name` of the lock."""
    return _lock()[1][name]


def alternatives(asset: Asset) -> tuple[tuple[Package, ...], ...]:
    """Return the sets of packages that carry all members, in the order in which they are tried."""
    if not asset.members:
        return ()
    depth = min(len(member.places) for member in asset.members)
    return tuple(
        tuple(find_package(name) for name in dict.fromkeys(m.places[place][0] for m in asset.members))
        for place in range(depth)
    )


def recipe_digest(asset: Asset) -> str:
    """Return twelve hex digits over all that the asset's bytes depend on: members, recipe, revision, needs."""
    packages = () if asset.members and all(m.sha256 for m in asset.members) else _packages_of(asset)
    identity = {
        "name": asset.name,
        "recipe": asset.recipe,
        "revision": asset.revision,
        "members": [[member.name, member.sha256] for member in asset.members],
        "packages": [list(package.sha256) for package in packages],
        "needs": [recipe_digest(find_entry(need)) for need in asset.needs],
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]


def _packages_of(asset: Asset) -> Sequence[Package]:
    return [package for packages in alternatives(asset) for package in packages]


@cache
def _lock() -> tuple[dict[str, Asset], dict[str, Package]]:
    text = resources.files("harness.assets").joinpath("lock.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    packages = {
        name: Package(
            name=name,
            version=entry["version"],
            form=entry["form"],
            sha256=tuple(file["sha256"] for file in entry["files"]),
            bytes=max(file["bytes"] for file in entry["files"]),
        )
        for name, entry in table["packages"].items()
    }
    assets: dict[str, Asset] = {}
    for name, entry in table["assets"].items():
        members = tuple(
            Member(name=m["name"], sha256=m.get("sha256", ""), places=tuple(map(_place, m["places"])))
            for m in entry.pop("members", ())
        )
        own = dict.fromkeys(member.places[0][0] for member in members)
        needs = tuple(entry.pop("needs", ()))
        assets[name] = Asset(
            name=name,
            members=members,
            needs=needs,
            synthetic=entry.pop("synthetic", False),
            download_bytes=sum(packages[package].bytes for package in own)
            + sum(assets[need].download_bytes for need in needs),
            **entry,
        )
    return assets, packages


def _place(text: str) -> tuple[str, str]:
    package, _, path = text.partition(":")
    return package, path
