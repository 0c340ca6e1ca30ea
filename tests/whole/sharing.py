"""Eight processes on one cache: `sharing.py shelf|asset FOLDER`, forked from one that has imported what they need.

Each says in one JSON line what it got; FOLDER/fills.txt has a line for each time that the cache was filled.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

PROCESSES = 8
PLACES = ["d1", "d2"]


def fill(folder: Path, places: Sequence[str]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Yield the rows of a shelf, slowly, and note who did so."""
    note(folder)
    for row in range(40):
        time.sleep(0.005)
        yield row, {place: np.full((3, 4), row + int(place[1:]) / 10) for place in places}


def note(folder: Path) -> None:
    """Note that this process fills."""
    descriptor = os.open(folder / "fills.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    os.close(descriptor)


def take_from_shelf(folder: Path, number: int) -> str:
    """Take one place of the shelf, as a worker does, and return the hash of what was there."""
    from functools import partial

    from harness.learn.shelf import Shelf

    shelf = Shelf(folder / "shelf", dtype="float32", limit_bytes=10**9)
    taken = shelf.take("content", PLACES[number % 2], PLACES, partial(fill, folder))
    return f"{PLACES[number % 2]} {hashlib.sha256(np.ascontiguousarray(taken.states).tobytes()).hexdigest()}"


def take_asset(folder: Path, number: int) -> str:
    """Provide an asset, as a run does that needs it, and return the hash of its weights."""
    from harness.assets.build import provide
    from harness.assets.progress import SILENCE
    from tests.assets.fakes import make_asset, pin

    wheel = next((folder / "house").glob("*.whl"))
    found = provide(make_asset(pin(wheel)), offline=False, progress=SILENCE)
    return hashlib.sha256((found / "model.safetensors").read_bytes()).hexdigest()


def main(kind: str, folder: Path) -> int:
    """Start all processes at one moment and return how many failed."""
    take: Callable[[Path, int], str] = take_from_shelf if kind == "shelf" else take_asset
    if kind == "shelf":
        import harness.learn.shelf  # noqa: F401  # before the forks: each would import torch
    children = []
    start = time.monotonic() + 0.3
    for number in range(PROCESSES):
        if child := os.fork():
            children.append(child)
            continue
        time.sleep(max(0, start - time.monotonic()))
        os.write(1, (json.dumps(take(folder, number)) + "\n").encode())
        os._exit(0)
    return sum(os.waitpid(child, 0)[1] != 0 for child in children)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
