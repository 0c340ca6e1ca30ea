"""Shipment: what a spec names on this machine, and the same spec on another one."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness import plugins
from harness.assets.folder import claim, workplace
from harness.assets.parcel import Packed, Parcel, Read, holds, pack_files, pack_path, unpack
from harness.errors import EnvironmentFault, HarnessError
from harness.record.files import storage_faults
from harness.spec.models import Backbone, Spec
from harness.spec.options import FILES, TaskOptions

if TYPE_CHECKING:
    from harness.learn.sources import Source

Role = Literal["data", "model", "plugins", "asset", "hub"]
LIBRARIES = ("torch", "transformers", "numpy", "scikit-learn")  # numbers depend on them


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that a spec names: what for, where it lies on the driver's machine, and its content."""

    role: Role
    owner: str  # the task or the backbone; the asset's or the dataset's own name
    key: str = ""  # of the task's data
    path: Path
    parcel: Parcel


Places = Sequence[tuple[Item, Path]]
"""Where each thing lies on the machine that asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """A source with all that it names, as other machines are told of it; the bytes stay here until asked for."""

    source: Source
    items: tuple[Item, ...]
    software: tuple[tuple[str, str], ...]


def pack_source(source: Source) -> tuple[Shipment, tuple[Packed, ...]]:
    """Return what a source names, and where the bytes lie.

    A reader's files are those that keys of the type `SourcePath` name; what else it opens does not travel.
    """
    packed = list(_pack(source, source.spec()))
    items = tuple(item for item, _ in packed)
    return Shipment(source=source, items=items, software=_list_software()), tuple(
        parcel for _, parcel in packed
    )


def unpack_source(shipment: Shipment, read: Read) -> Source:
    """Return the source as it is on this machine, once everything it names is here.

    What lies here at the same place with the same bytes is used where it lies, for folders may be shared; the rest is
    fetched into XDG_CACHE_HOME/harness/parcels, once for each content. Raises `EnvironmentFault` where this machine
    computes with other software, `StorageError` where its disk is full; both name the machine.
    """
    try:
        _refuse_software(shipment.software)
        return _unpack(shipment, read)
    except HarnessError as fault:
        raise type(fault)(f"node {socket.gethostname()}: {fault}") from fault


def _pack(source: Source, spec: Spec) -> Iterator[tuple[Item, Packed]]:
    from harness.assets.store import fetch_asset
    from harness.learn.sources import find_checkpoint
    from harness.model.checkpoint import list_parts

    for folder in source.plugin_folders:
        files = [file for kind in plugins.KINDS for file in sorted((folder / kind).glob("*.py"))]
        yield _item("plugins", str(folder), folder, pack_files(folder.name, folder, files))
    for task, wanted in spec.tasks.items():
        for key, field in type(wanted.data).model_fields.items():
            if FILES in field.metadata:
                path = source.base / getattr(wanted.data, key)
                yield _item("data", task, path, pack_path(path), key=key)
        if isinstance(name := getattr(wanted.data, "asset", None), str):
            path = fetch_asset(name, offline=True)
            yield _item("asset", name, path, pack_path(path))
        if isinstance(name := getattr(wanted.data, "hub", None), str):
            path = _hub_cache() / name.replace("/", "___")
            yield _item("hub", name, path, pack_path(path))
    for backbone in spec.backbones:
        path = find_checkpoint(spec, backbone, base=source.base, offline=True)
        yield _item("model", backbone, path, pack_files(path.name, path, list_parts(path)))


def _item(role: Role, owner: str, path: Path, packed: Packed, key: str = "") -> tuple[Item, Packed]:
    return Item(role=role, owner=owner, key=key, path=path.absolute(), parcel=packed.parcel), packed


def _unpack(shipment: Shipment, read: Read) -> Source:
    from harness.assets.cache import cache_root

    cache = cache_root().parent
    store = cache / "parcels"
    places = [
        (item, item.path if holds(item.path, item.parcel) else unpack(item.parcel, store, read))
        for item in shipment.items
    ]
    folders = tuple(place for item, place in places if item.role == "plugins")
    source = replace(shipment.source, base=store, cache=cache, plugin_folders=folders)
    _lend(store, places)
    spec = source.spec()
    tasks = {name: _rewrite_task(task, name, places) for name, task in spec.tasks.items()}
    backbones = {name: _rewrite_backbone(backbone, name, places) for name, backbone in spec.backbones.items()}
    moved = spec.model_copy(update={"tasks": tasks, "backbones": backbones})
    return replace(source, spec_json=moved.model_dump_json())


def _rewrite_task(task: TaskOptions, name: str, places: Places) -> TaskOptions:
    found = {item.key: str(place) for item, place in places if (item.role, item.owner) == ("data", name)}
    return task.model_copy(update={"data": task.data.model_copy(update=found)})


def _rewrite_backbone(backbone: Backbone, name: str, places: Places) -> Backbone:
    (place,) = (place for item, place in places if (item.role, item.owner) == ("model", name))
    return backbone.model_copy(update={"model": str(place), "revision": None})


def _lend(store: Path, places: Places) -> None:
    """Let this process find assets and datasets of the hub by their names, and ask the hub for nothing."""
    os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
    if assets := {item.owner: place for item, place in places if item.role == "asset"}:
        os.environ["HARNESS_ASSETS"] = str(_link(store, assets))
    if datasets := {place.name: place for item, place in places if item.role == "hub"}:
        os.environ["HF_DATASETS_CACHE"] = str(_link(store, datasets))


def _link(store: Path, folders: Mapping[str, Path]) -> Path:
    """Return a folder in which each name is a link to its folder."""
    digest = hashlib.sha256(repr(sorted(folders.items())).encode()).hexdigest()[:32]
    home = store / f"links-{digest}"
    with storage_faults(home), claim(home, lambda: None):
        if not home.exists():
            with workplace(home) as work:
                for name, folder in folders.items():
                    (work / name).symlink_to(folder)
                work.rename(home)
    return home


def _hub_cache() -> Path:
    import datasets

    return Path(datasets.config.HF_DATASETS_CACHE)


def _list_software() -> tuple[tuple[str, str], ...]:
    """Return what computes the numbers here: libraries by version, this package by content."""
    package = Path(__file__).parent
    own = pack_files("harness", package, sorted(package.rglob("*.py"))).parcel.digest
    return (*((name, version(name)) for name in LIBRARIES), ("harness", own))


def _refuse_software(wanted: tuple[tuple[str, str], ...]) -> None:
    """Raise `EnvironmentFault` where this machine computes with other software than the driver's."""
    for (name, there), (_, here) in zip(wanted, _list_software(), strict=True):
        if there != here:
            raise EnvironmentFault(
                f"has {name} {here}, where the run was planned with {there}: their numbers must not be mixed. "
                "Install the same on every node"
            )
