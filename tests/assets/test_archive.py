"""Members of archives that may be anything."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from harness.assets.archive import take_member
from harness.assets.lock import Member, Package, Place
from harness.assets.packages import SourceError

PACKAGE = Package(name="p", version="1", form="wheel", sha256=(), bytes=0)


def make_member(path: str, data: bytes | None) -> Member:
    digest = "" if data is None else hashlib.sha256(data).hexdigest()
    return Member(name="taken", sha256=digest, places=(Place(PACKAGE, path),))


def write_zip(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"data")
    return path


def test_a_member_of_an_sdist_is_taken(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        header = tarfile.TarInfo("a-1/file")
        header.size = 4
        archive.addfile(header, io.BytesIO(b"data"))
    member = make_member("a-1/file", b"data")
    taken = take_member(member, member.places[0], tmp_path / "a.tar.gz", tmp_path / "into")
    assert taken.read_bytes() == b"data"


def test_a_folder_is_taken_with_what_lies_below(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.whl", "data/one", "data/deep/two", "database")
    member = make_member("data/", None)
    taken = take_member(member, member.places[0], archive, tmp_path / "into")
    assert sorted(p.relative_to(taken).as_posix() for p in taken.rglob("*") if p.is_file()) == [
        "deep/two",
        "one",
    ]


def test_a_folder_cannot_reach_outside(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.whl", "data/../../../escaped")
    member = make_member("data/", None)
    with pytest.raises(SourceError, match="points outside"):
        take_member(member, member.places[0], archive, tmp_path / "into")
    assert not list(tmp_path.rglob("escaped"))


def test_a_wrong_member_leaves_no_file(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.whl", "file")
    member = make_member("file", b"expected")
    with pytest.raises(SourceError, match="not the file that is pinned"):
        take_member(member, member.places[0], archive, tmp_path / "into")
    assert not (tmp_path / "into" / "taken").exists()


def test_an_archive_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.whl").write_bytes(b"not an archive")
    member = make_member("file", b"data")
    with pytest.raises(SourceError, match="cannot be unpacked"):
        take_member(member, member.places[0], tmp_path / "a.whl", tmp_path / "into")
