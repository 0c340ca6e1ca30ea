"""Parcel: files named by their content, which another machine gets whole or not at all."""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from harness.assets.folder import claim, install, workplace
from harness.assets.packages import hash_file
from harness.errors import DataError
from harness.record.files import storage_faults

CHUNK = 8_000_000  # bytes that travel at once: Ray's object store may have no more than 75 MB

Read = Callable[[str, int], bytes]
"""A parcel's digest, and where to begin in all of its bytes -> the next of them, none behind the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file of a parcel, by its path in it."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A file, or a folder of files, that is called `name`."""

    name: str
    parts: tuple[Part, ...]  # of a file one, whose own name is empty

    @property
    def digest(self) -> str:
        """Return 32 hex digits that name the paths and the bytes of all files."""
        lines = (f"{part.name}\0{part.bytes}\0{part.sha256}" for part in self.parts)
        return hashlib.sha256("\n".join((self.name, *lines)).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A parcel, and where each of its files lies on this machine."""

    parcel: Parcel
    files: tuple[Path, ...]

    def read(self, offset: int) -> bytes:
        """Return the next bytes of the parcel, all of its files one after the other."""
        ends = list(accumulate(part.bytes for part in self.parcel.parts))
        index = bisect_right(ends, offset)
        if index == len(ends):
            return b""
        begin = ends[index] - self.parcel.parts[index].bytes
        pieces, left = [], CHUNK
        for number in range(index, len(ends)):
            with self.files[number].open("rb") as file:
                file.seek(offset - begin if number == index else 0)
                pieces.append(file.read(left))
            left -= len(pieces[-1])
            if left == 0:
                break
        return b"".join(pieces)


def pack_path(path: Path) -> Packed:
    """Return a file or a folder as a parcel."""
    return pack_files(path.name, path, sorted(_walk(path)) if path.is_dir() else [path])


def pack_files(name: str, root: Path, files: Iterable[Path]) -> Packed:
    """Return some of the files below a root as a parcel of that name."""
    chosen = tuple(files)
    parts = (
        Part(
            name=file.relative_to(root).as_posix() if file != root else "",
            bytes=file.stat().st_size,
            sha256=hash_file(file),
        )
        for file in chosen
    )
    return Packed(parcel=Parcel(name=name, parts=tuple(parts)), files=chosen)


def holds(path: Path, parcel: Parcel) -> bool:
    """Say whether the parcel's files lie at a path, by their bytes: two machines may call different folders alike."""
    files = [path / part.name if part.name else path for part in parcel.parts]
    try:
        return all(
            file.stat().st_size == part.bytes for file, part in zip(files, parcel.parts, strict=True)
        ) and all(hash_file(file) == part.sha256 for file, part in zip(files, parcel.parts, strict=True))
    except OSError:  # it is not there, or not for us
        return False


def unpack(parcel: Parcel, store: Path, read: Read) -> Path:
    """Return where a parcel lies in the store, fetched unless it is there whole; several processes fetch it once.

    Raises `DataError` as `write_parcel` does.
    """
    home = store / parcel.digest
    with storage_faults(home), claim(home, lambda: None):
        if not holds(home / parcel.name, parcel):  # else what a disk damaged would end every later suite
            with workplace(home) as work:
                write_parcel(parcel, work / "whole" / parcel.name, read)
                install(work / "whole", home)
    return home / parcel.name


def write_parcel(parcel: Parcel, root: Path, read: Read) -> None:
    """Write a parcel's files at a path that is free; raises `DataError` where other bytes come than were packed."""
    offset, rest = 0, memoryview(b"")
    for part in parcel.parts:
        file = root / part.name if part.name else root
        file.parent.mkdir(parents=True, exist_ok=True)
        digest, left = hashlib.sha256(), part.bytes
        with file.open("wb") as stream:
            while left:
                if not rest:
                    rest = memoryview(read(parcel.digest, offset))
                    offset += len(rest)
                piece, rest = rest[:left], rest[left:]
                stream.write(piece)
                digest.update(piece)
                left -= len(piece) or left  # nothing came: the hash tells
        if digest.hexdigest() != part.sha256:
            raise DataError(
                f"{parcel.name}: '{part.name or parcel.name}' changed since the run was planned: run the same "
                "command again, and what depends on the change is new"
            )


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (Path(root) / file for file in files)
