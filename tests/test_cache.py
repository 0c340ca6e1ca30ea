"""Giving the shelf back while others may use it."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.cache import free_shelf, measure_shelf, sum_shelf, sum_used_since
from harness.learn.shelf import Activations, Shelf

HOLD = """
import sys
from pathlib import Path
from tests.test_cache import fill
held = fill(Path(sys.argv[1]), "held")
print("ready", flush=True)
sys.stdin.read()
print(float(held.states.sum()))
"""


def fill(cache: Path, content: str) -> Activations:
    """Take activations from the shelf as a fit does: one place of four rows."""
    shelf = Shelf(cache / "shelf", dtype="float32", limit_bytes=10**9)
    rows = [(row, {"d1": np.full((2, 3), row, dtype=np.float32)}) for row in range(4)]
    return shelf.take(content, "d1", [], lambda places: rows)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_what_nobody_has_open_is_freed_and_filled_again(cache: Path) -> None:
    fill(cache, "first")
    fill(cache, "second")
    before = sum_shelf(cache)
    assert before > 2 * 4 * 2 * 3 * 4
    assert measure_shelf(cache).free_bytes == before
    assert sum_shelf(cache) == before  # measuring removes nothing
    assert free_shelf(cache).free_bytes == before
    assert sum_shelf(cache) == 0
    assert fill(cache, "first").states.shape == (8, 3)


def test_activations_that_a_fit_has_open_stay(cache: Path) -> None:
    held = fill(cache, "held")
    fill(cache, "other")
    freed = free_shelf(cache)
    assert freed.free_bytes > 0
    assert freed.used_bytes == sum_shelf(cache) > 0
    assert held.batch([3]).sum() == 18
    del held
    assert free_shelf(cache).used_bytes == 0


def test_activations_that_another_process_has_open_stay_until_it_ends(cache: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(cache)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    assert free_shelf(cache).free_bytes == 0
    out, _ = child.communicate("", timeout=60)
    assert out == "36.0\n"  # (0 + 1 + 2 + 3) x 6
    assert free_shelf(cache).free_bytes > 0


def test_what_is_being_filled_stays_and_what_a_killed_process_left_goes(cache: Path) -> None:
    fill(cache, "content")
    left = cache / "shelf" / "content" / ".filling-abc"
    left.mkdir()
    (left / "states.bin").write_bytes(b"x" * 1000)
    with (cache / "shelf" / "content" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert free_shelf(cache).free_bytes == 0
    assert free_shelf(cache).free_bytes > 1000
    assert not left.exists()


def test_a_shelf_that_was_never_filled_frees_nothing(cache: Path) -> None:
    assert free_shelf(cache).free_bytes == measure_shelf(cache).free_bytes == 0


def test_what_was_used_is_counted_with_all_of_its_content(cache: Path) -> None:
    import os
    import time

    fill(cache, "old")
    os.utime(cache / "shelf" / "old" / "float32-d1", (0, 0))
    began = time.time()
    fill(cache, "new")
    beside = cache / "shelf" / "new" / "float32-d2"
    beside.mkdir()
    (beside / "states.bin").write_bytes(b"x" * 100)
    os.utime(beside, (0, 0))
    assert sum_used_since(cache, began) == sum_shelf(cache) / 2 + 50
