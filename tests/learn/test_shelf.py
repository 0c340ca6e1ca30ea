"""The shelf: filled once, shared, rebuilt when damaged."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from harness.learn import shelf as module
from harness.learn.shelf import Rows, Shelf


class Filler:
    """Counts how often it is asked, and for what."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, places: Sequence[str]) -> Rows:
        self.asked.append(list(places))
        for row in (2, 0, 1):
            yield row, {place: np.full((row + 1, 4), row + int(place[1:]) / 10) for place in places}


@pytest.fixture
def filler() -> Filler:
    return Filler()


def open_shelf(root: Path, *, dtype: str = "float32", limit_bytes: int = 10**9) -> Shelf:
    return Shelf(root, dtype=dtype, limit_bytes=limit_bytes)


def test_all_places_are_filled_in_one_pass_and_once(tmp_path: Path, filler: Filler) -> None:
    shelf = open_shelf(tmp_path)
    first = shelf.take("aa", "d1", ["d1", "d2", "d3"], filler)
    again = open_shelf(tmp_path).take("aa", "d3", ["d1", "d2", "d3"], filler)
    assert filler.asked == [["d1", "d2", "d3"]]
    batch = first.batch(np.array([2, 0]))  # (2, 3, 4), the shorter row filled up with zeros
    assert batch.shape == (2, 3, 4)
    assert np.allclose(batch[0], 2.1)
    assert np.allclose(batch[1, 0], 0.1)
    assert batch[1, 1:].abs().sum() == 0
    assert np.allclose(again.batch([1])[0], 1.3)


@pytest.mark.parametrize("harm", ["flip", "cut", "swap", "index"])
def test_what_is_damaged_is_rebuilt(tmp_path: Path, filler: Filler, harm: str) -> None:
    open_shelf(tmp_path).take("aa", "d1", [], filler)
    folder = tmp_path / "aa" / "float32-d1"
    states = folder / "states.bin"
    data = bytearray(states.read_bytes())
    if harm == "flip":
        data[7] ^= 1
        states.write_bytes(data)
    elif harm == "cut":
        states.write_bytes(data[:-4])
    elif harm == "swap":
        states.write_bytes(bytes(reversed(data)))
    else:
        (folder / "index.json").write_text("{")
    os.utime(states, ns=(1, 1))
    module._verified.clear()  # as in a process that has not looked yet
    mended = open_shelf(tmp_path).take("aa", "d1", [], filler)
    assert len(filler.asked) == 2
    assert np.allclose(mended.batch([2])[0], 2.1)


@pytest.mark.parametrize("other", ["aa/float32-d2", "bb/float32-d1", "aa/float16-d1"])
@pytest.mark.parametrize("looked", [True, False])
def test_entries_that_changed_places_are_not_taken_for_one_another(
    tmp_path: Path, filler: Filler, other: str, looked: bool
) -> None:
    """Every file of them is whole: only what it says of itself tells."""
    open_shelf(tmp_path).take("aa", "d1", ["d1", "d2"], filler)
    content, _, place = other.partition("/")
    open_shelf(tmp_path, dtype={"float16": "fp16"}.get(place[:7], "float32")).take(
        content,
        place[-2:],
        [],
        lambda places: ((row, {p: np.full((2, 4), 7.0) for p in places}) for row in (0, 1, 2)),
    )
    here, there, aside = tmp_path / "aa" / "float32-d1", tmp_path / other, tmp_path / "aside"
    moment = here.joinpath("states.bin").stat().st_mtime_ns
    for old, new in ((here, aside), (there, here), (aside, there)):
        old.rename(new)
    if looked:  # as if this process had verified what stood here
        os.utime(here / "states.bin", ns=(moment, moment))
    taken = open_shelf(tmp_path).take("aa", "d1", [], filler)
    assert np.allclose(taken.batch([2])[0], 2.1)
    assert taken.states.dtype == np.float32


def test_an_entry_of_the_former_layout_is_filled_again(tmp_path: Path, filler: Filler) -> None:
    open_shelf(tmp_path).take("aa", "d1", [], filler)
    index = tmp_path / "aa" / "float32-d1" / "index.json"
    index.write_text(
        json.dumps({key: value for key, value in json.loads(index.read_text()).items() if key != "entry"})
    )
    assert np.allclose(open_shelf(tmp_path).take("aa", "d1", [], filler).batch([2])[0], 2.1)
    assert len(filler.asked) == 2


def test_the_oldest_goes_when_bytes_run_out(tmp_path: Path, filler: Filler) -> None:
    one = sum(file.stat().st_size for file in _filled(tmp_path / "probe", filler).iterdir())
    shelf = open_shelf(tmp_path / "real", limit_bytes=int(2.5 * one))
    for age, content in enumerate(["old", "new"]):
        shelf.take(content, "d1", [], filler)
        os.utime(tmp_path / "real" / content / "float32-d1", (age, age))
    shelf.take("third", "d1", [], filler)
    assert not (tmp_path / "real" / "old" / "float32-d1").exists()
    assert (tmp_path / "real" / "new" / "float32-d1").exists()


def _filled(root: Path, filler: Filler) -> Path:
    open_shelf(root).take("aa", "d1", [], filler)
    return root / "aa" / "float32-d1"


def test_half_precision_takes_half_the_bytes(tmp_path: Path, filler: Filler) -> None:
    half = open_shelf(tmp_path, dtype="fp16").take("aa", "d1", [], filler)
    assert half.states.dtype == np.float16
    assert half.batch([1]).numpy() == pytest.approx(np.full((1, 2, 4), 1.1), abs=1e-3)


def test_an_entry_that_another_machine_has_is_taken_from_there(tmp_path: Path, filler: Filler) -> None:
    asked: list[str] = []

    def lend(entry: str, target: Path) -> bool:
        asked.append(entry)
        if not (tmp_path / "theirs" / entry).is_dir():
            return False
        shutil.copytree(tmp_path / "theirs" / entry, target)
        return True

    open_shelf(tmp_path / "theirs").take("aa", "d1", [], filler)
    ours = Shelf(tmp_path / "ours", dtype="float32", limit_bytes=10**9, lend=lend)
    borrowed = ours.take("aa", "d1", ["d1", "d2"], filler)
    assert np.allclose(borrowed.batch([2])[0], 2.1)
    assert (asked, filler.asked) == (["aa/float32-d1"], [["d1"]])
    ours.take("bb", "d1", ["d1", "d2"], filler)  # nobody has it: it is filled here
    assert (asked[1:], filler.asked[1:]) == (["bb/float32-d1"], [["d1", "d2"]])
    assert not list((tmp_path / "ours").glob("*/.filling-*"))


def test_a_borrowed_entry_that_does_not_verify_is_filled_here(tmp_path: Path, filler: Filler) -> None:
    def lend(entry: str, target: Path) -> bool:
        shutil.copytree(tmp_path / "theirs" / entry, target)
        (target / "states.bin").write_bytes(bytes((target / "states.bin").stat().st_size))
        return True

    open_shelf(tmp_path / "theirs").take("aa", "d1", [], filler)
    ours = Shelf(tmp_path / "ours", dtype="float32", limit_bytes=10**9, lend=lend)
    assert np.allclose(ours.take("aa", "d1", [], filler).batch([2])[0], 2.1)
    assert len(filler.asked) == 2
