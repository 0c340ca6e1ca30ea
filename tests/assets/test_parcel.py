from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.assets import parcel
from harness.assets.parcel import Packed, holds, pack_files, pack_path, unpack
from harness.errors import DataError


def write(folder: Path) -> Path:
    """Write a folder of files, one of them empty, one below another."""
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "rows.csv").write_bytes(bytes(range(256)) * 40)
    (folder / "empty").touch()
    (folder / "deep" / "er" / "grün.txt").write_text("grün")
    (folder / "deep" / "__pycache__").mkdir()
    (folder / "deep" / "__pycache__" / "x.pyc").write_bytes(b"x")
    return folder


def serve(packed: Packed) -> parcel.Read:
    return lambda digest, offset: packed.read(offset) if digest == packed.parcel.digest else b""


def read_all(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()
    }


@pytest.mark.parametrize("chunk", [1, 7, 4096, 8_000_000])
def test_a_folder_arrives_as_it_was_packed(
    tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcel, "CHUNK", chunk)
    packed = pack_path(write(tmp_path / "data"))
    place = unpack(packed.parcel, tmp_path / "store", serve(packed))
    assert place == tmp_path / "store" / packed.parcel.digest / "data"
    shutil.rmtree(tmp_path / "data" / "deep" / "__pycache__")
    assert read_all(place) == read_all(tmp_path / "data")
    assert holds(place, packed.parcel)


def test_a_file_arrives_under_its_own_name(tmp_path: Path) -> None:
    file = write(tmp_path / "data") / "rows.csv"
    packed = pack_path(file)
    place = unpack(packed.parcel, tmp_path / "store", serve(packed))
    assert (place.name, place.read_bytes()) == ("rows.csv", file.read_bytes())


def test_what_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    packed = pack_path(write(tmp_path / "data"))
    place = unpack(packed.parcel, tmp_path / "store", serve(packed))

    def refuse(digest: str, offset: int) -> bytes:
        raise AssertionError

    assert unpack(packed.parcel, tmp_path / "store", refuse) == place


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: (data / "rows.csv").write_bytes(b"x" * 10240),
        lambda data: (data / "rows.csv").unlink(),
        lambda data: shutil.rmtree(data),
    ],
)
def test_what_is_damaged_in_the_store_is_fetched_again(
    tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    packed = pack_path(write(tmp_path / "data"))
    harm(unpack(packed.parcel, tmp_path / "store", serve(packed)))
    assert holds(unpack(packed.parcel, tmp_path / "store", serve(packed)), packed.parcel)
    assert [path.name for path in (tmp_path / "store").iterdir() if path.is_dir()] == [packed.parcel.digest]


def test_the_digest_names_paths_and_bytes_and_no_place(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a" / "data"), write(tmp_path / "b" / "data")
    assert pack_path(first).parcel.digest == pack_path(second).parcel.digest
    (second / "rows.csv").rename(second / "other.csv")
    assert pack_path(first).parcel.digest != pack_path(second).parcel.digest
    chosen = pack_files("data", first, [first / "rows.csv"])
    assert [part.name for part in chosen.parcel.parts] == ["rows.csv"]


def test_the_same_path_with_other_bytes_is_not_taken_for_the_drivers(tmp_path: Path) -> None:
    folder = write(tmp_path / "data")
    packed = pack_path(folder)
    assert holds(folder, packed.parcel)
    before = (folder / "rows.csv").read_bytes()
    (folder / "rows.csv").write_bytes(before[::-1])
    assert not holds(folder, packed.parcel)
    (folder / "rows.csv").write_bytes(before)
    (folder / "empty").unlink()
    assert not holds(folder, packed.parcel)
    assert not holds(tmp_path / "nowhere", packed.parcel)


@pytest.mark.parametrize(
    "change", [lambda file: file.write_bytes(b"x" * 10240), lambda file: file.write_bytes(b"")]
)
def test_a_file_that_changed_after_it_was_packed_never_gets_its_name(tmp_path: Path, change: object) -> None:
    folder = write(tmp_path / "data")
    packed = pack_path(folder)
    assert callable(change)
    change(folder / "rows.csv")
    with pytest.raises(DataError, match=r"data: 'rows.csv' changed since the run was planned"):
        unpack(packed.parcel, tmp_path / "store", serve(packed))
    assert [path.name for path in (tmp_path / "store").iterdir() if not path.name.startswith(".")] == []


def _unpack_noting(packed: Packed, folder: Path) -> None:
    def read(digest: str, offset: int) -> bytes:
        with (folder / "reads.txt").open("a") as file:
            file.write(f"{offset}\n")
        return packed.read(offset)

    assert holds(unpack(packed.parcel, folder / "store", read), packed.parcel)


def test_workers_of_one_node_fetch_once(tmp_path: Path) -> None:
    packed = pack_path(write(tmp_path / "data"))
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_unpack_noting, args=(packed, tmp_path)) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 6
    assert (tmp_path / "reads.txt").read_text() == "0\n"
