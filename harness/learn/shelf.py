"""The shelf: activations of frozen blocks, computed once and shared by every fold, trial and worker.

What enters block d depends on weights, examples, preprocessing, depth and number format alone, not on fold, epoch,
trial or label. So it is stored by the hash of these, memory-mapped, and rebuilt when it was evicted or damaged.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import torch

from harness.record.files import storage_faults

Rows = Iterable[tuple[int, dict[str, np.ndarray]]]
"""(row, place -> the row's activations there, (first axis, …)), each row once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Activations:
    """What passes one place of a network, for each row: `states[start : start + length]`, (first axis, …)."""

    states: np.ndarray  # (sum of lengths, …), memory-mapped and read-only
    starts: np.ndarray  # (rows,)
    lengths: np.ndarray  # (rows,)

    def batch(self, rows: Sequence[int] | np.ndarray) -> torch.Tensor:
        """Return the rows' activations, (batch, longest first axis, …) float32, filled up with zeros."""
        width = int(self.lengths[rows].max())
        block = np.zeros((len(rows), width, *self.states.shape[1:]), dtype=np.float32)
        for place, row in enumerate(rows):
            start, length = self.starts[row], self.lengths[row]
            block[place, :length] = self.states[start : start + length]
        return torch.from_numpy(block)


Lend = Callable[[str, Path], bool]
"""An entry, `<content>/<dtype>-<place>`, and where to write it -> whether another machine had it."""

_FILLING = ".filling-"  # scratch folders begin so


class Shelf:
    """A folder of activations with a limit on its bytes; what was used longest ago goes first."""

    def __init__(self, root: Path, *, dtype: str, limit_bytes: int, lend: Lend | None = None) -> None:
        self._root = root
        self._lend = lend  # None: there is no other machine
        self._dtype: np.dtype[np.floating] = np.dtype("float16" if dtype == "fp16" else "float32")
        self._limit_bytes = limit_bytes

    def take(
        self, content: str, place: str, others: Sequence[str], fill: Callable[[Sequence[str]], Rows]
    ) -> Activations:
        """Return the activations at one place, such as the entry of a block, filling the shelf on first use.

        `content` names weights, examples and preprocessing by hash. `fill(places)` yields every row once, at all
        the places asked for: the `others`, which further trials will want, are filled in the same pass.
        """
        folder = self._folder(content, place)
        with (
            storage_faults(folder),
            _claim(folder.parent),
        ):  # flock dies with the process: kill -9 must not leave the shelf claimed
            if not _whole(folder, self._name(content, place)) and not self._borrow(content, place):
                absent = [other for other in others if not self._folder(content, other).exists()]
                self._fill(content, sorted({place, *absent}), fill)
            os.utime(folder)  # eviction goes by the age of the last use
            return _open(folder)  # before the claim ends: what is open outlives its eviction

    def _folder(self, content: str, place: str) -> Path:
        return self._root / self._name(content, place)

    def _name(self, content: str, place: str) -> str:
        return f"{content}/{self._dtype.name}-{place}"

    def _borrow(self, content: str, place: str) -> bool:
        """Take an entry from a machine that has it, and say whether there was one."""
        folder, name = self._folder(content, place), self._name(content, place)
        if self._lend is None:
            return False
        with tempfile.TemporaryDirectory(prefix=_FILLING, dir=folder.parent) as scratch:
            entry = Path(scratch) / folder.name
            if not self._lend(name, entry) or not _whole(entry, name):
                return False
            self._evict(content, [place], needed=_size(entry))
            shutil.rmtree(folder, ignore_errors=True)  # what was there did not verify
            entry.rename(folder)
        return True

    def _fill(self, content: str, places: Sequence[str], fill: Callable[[Sequence[str]], Rows]) -> None:
        """Write the activations of all places in a scratch folder, then move them where they belong."""
        parent = self._root / content
        for left in parent.glob(f"{_FILLING}*"):  # by a process that was killed: this one has the claim
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=_FILLING, dir=parent) as scratch, ExitStack() as stack:
            writers = {
                place: _Writer(Path(scratch) / place, self._dtype, name=self._name(content, place))
                for place in places
            }
            for writer in writers.values():
                stack.callback(writer.abandon)
            for row, states in fill(places):
                for place, writer in writers.items():
                    writer.add(row, states[place])
            self._evict(content, places, needed=sum(writer.close() for writer in writers.values()))
            for place in places:
                target = self._folder(content, place)
                shutil.rmtree(target, ignore_errors=True)  # what was there did not verify
                (Path(scratch) / place).rename(target)

    def _evict(self, content: str, filling: Sequence[str], *, needed: int) -> None:
        """Remove what was used longest ago until `needed` bytes fit; a mapped file lives on until it is closed."""
        kept = {self._folder(content, place) for place in filling}
        entries = sorted(set(self._root.glob("*/float*")) - kept, key=_last_use)
        sizes = {entry: _size(entry) for entry in entries}
        for entry, size in list(sizes.items()):
            if sum(sizes.values()) + needed <= self._limit_bytes:
                return
            own = entry.parent.name == content  # which is claimed already
            claimed = nullcontext() if own else _claim(entry.parent, wait=False)
            with suppress(BlockingIOError), claimed:  # in use this moment: it stays
                shutil.rmtree(entry, ignore_errors=True)
                sizes[entry] -= size


class _Writer:
    """Append the rows of one place to a file and remember where each begins."""

    def __init__(self, folder: Path, dtype: np.dtype[np.floating], *, name: str) -> None:
        folder.mkdir()
        self._folder = folder
        self._name = name
        self._dtype = dtype
        self._file: IO[bytes] = (folder / "states.bin").open("wb")
        self._hash = hashlib.sha256()
        self._places: dict[int, tuple[int, int]] = {}
        self._end = 0
        self._rest: tuple[int, ...] = ()

    def add(self, row: int, state: np.ndarray) -> None:
        """Append one row, (first axis, …)."""
        data = np.ascontiguousarray(state, dtype=self._dtype).tobytes()
        self._file.write(data)
        self._hash.update(data)
        self._places[row] = (self._end, len(state))
        self._end += len(state)
        self._rest = state.shape[1:]

    def abandon(self) -> None:
        """Let go of the file, finished or not."""
        self._file.close()

    def close(self) -> int:
        """Finish the files and return their bytes."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        places = np.array([self._places[row] for row in range(len(self._places))], dtype=np.int64)
        np.save(self._folder / "places.npy", places)
        index = {
            "entry": self._name,
            "dtype": self._dtype.name,
            "shape": [self._end, *self._rest],
            "states": self._hash.hexdigest(),
            "places": _sha256(self._folder / "places.npy"),
        }
        (self._folder / "index.json").write_text(json.dumps(index))
        return sum(file.stat().st_size for file in self._folder.iterdir())


@contextmanager
def _claim(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a folder; raises `BlockingIOError` where another holds it and this one does not want to wait."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


def _last_use(entry: Path) -> float:
    """Return when an entry was used last; 0 for one that another process has just removed."""
    try:
        return entry.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _size(entry: Path) -> int:
    try:
        return sum(file.stat().st_size for file in entry.iterdir())
    except FileNotFoundError:
        return 0


_verified: set[tuple[Path, int]] = set()  # what this process has hashed already, by path and time of change


def _whole(folder: Path, name: str) -> bool:
    """Say whether the files are those of the entry of that name, byte by byte; each process hashes them once."""
    states = folder / "states.bin"
    try:
        index = json.loads((folder / "index.json").read_text())
        if index["entry"] != name:  # whole, and what another place or other weights gave
            return False
        key = (states, states.stat().st_mtime_ns)
        if key in _verified:
            return True
        good: bool = _sha256(states) == index["states"] and _sha256(folder / "places.npy") == index["places"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if good:
        _verified.add(key)
    return good


def _open(folder: Path) -> Activations:
    index = json.loads((folder / "index.json").read_text())
    places = np.load(folder / "places.npy")
    with (folder / "states.bin").open("rb") as file:
        # The map keeps the open file, and with it the lock, for as long as it lives: nobody cleans it away.
        fcntl.flock(file, fcntl.LOCK_SH)
        states = np.memmap(file, dtype=index["dtype"], mode="r", shape=tuple(index["shape"]))
    return Activations(states=states, starts=places[:, 0], lengths=places[:, 1])


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
