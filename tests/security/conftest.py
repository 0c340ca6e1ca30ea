"""Folders that attack, a finished run to tamper with, and commands whose every move is noted."""

from __future__ import annotations

import ctypes
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUITE = """\
version: 1
name: small
tasks:
  mood:
    type: text-classification
    data: {csv: texts.csv, text: text, label: label, group: author}
backbones:
  bert: {model: tiny-bert}
arms:
  head-only: {freeze_depth: all, epochs: 1, head_lr: {log: [1e-2, 1e-1]}, batch_size: 8}
baselines: [majority]
protocol: {folds: 2}
search: {trials: 1, sampler: random, pruner: none}
compute: {workers: 1, threads: 1}
"""
SYSTEM = ("/usr", "/lib", "/lib64", "/etc", "/proc", "/sys", "/dev", "/var/lib", "/opt")
OPENED, READ = 0x20, 0x1  # of inotify.h


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """How a watched command ended, what it said, and what it did."""

    code: int
    said: str
    events: tuple[tuple[str, ...], ...]

    def opened(self) -> list[Path]:
        """Return the files that it opened by Python's own means."""
        return [Path(event[1]) for event in self.events if event[0] == "open" and event[1].startswith("/")]

    def outside(self, *roots: Path) -> list[Path]:
        """Return those that lie neither below the roots nor in the interpreter, its packages and the system."""
        own = [Path(place).resolve() for place in (sys.prefix, sys.base_prefix, ROOT, *SYSTEM, *roots)]
        found = {path for path in self.opened() if not any(path.is_relative_to(place) for place in own)}
        return sorted(found)

    def ran(self) -> list[tuple[str, ...]]:
        """Return the commands that it started and what it unpickled by name."""
        kinds = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "pickle.find_class")
        return [event for event in self.events if event[0] in kinds]

    def reached(self) -> list[tuple[str, ...]]:
        """Return what it connected to or listened on, beyond files in the system."""
        return [event for event in self.events if event[0] in ("socket.connect", "socket.bind")]


class Marker:
    """What is unpickled writes a file: proof that code of the attacker's ran."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (os.system, (f"touch {self.path}",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """Where an attack may work, and how it is found out."""

    inside: Path  # what a user was handed
    outside: Path  # the user's own
    marker: Path  # exists once code of the attacker's ran
    secret: Path  # a file of the user's

    def pickle(self) -> bytes:
        """Return bytes that write the marker when they are unpickled."""
        return pickle.dumps(Marker(self.marker))

    def code(self) -> str:
        """Return Python that writes the marker when it is imported."""
        return f"open({str(self.marker)!r}, 'w').close()\n"


@pytest.fixture
def attack(tmp_path: Path) -> Attack:
    """Two folders, one of an attacker's and one of the user's, with a secret in it."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    secret = outside / "secret.csv"
    secret.write_text("text,label,author\nthe-canary-of-the-user,pos,ann\nanother,neg,bob\n")
    return Attack(inside=inside, outside=outside, marker=tmp_path / "marker", secret=secret)


@pytest.fixture
def harness(tmp_path: Path) -> Callable[..., Watched]:
    """The command `harness` in a process of its own, started in the folder `inside`."""

    def call(*arguments: object, cwd: Path | None = None, **environment: str) -> Watched:
        (tmp_path / "cache").mkdir(exist_ok=True)
        notes = tmp_path / "notes.jsonl"
        notes.unlink(missing_ok=True)
        settings = {name: value for name, value in os.environ.items() if not name.startswith("HARNESS_")}
        settings |= {
            "PYTHONPATH": str(ROOT),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "HF_HOME": str(tmp_path / "cache" / "hub"),
            "TMPDIR": str(tmp_path / "cache"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
        }
        line = [sys.executable, "-P", str(Path(__file__).with_name("watched.py")), str(notes)]
        done = subprocess.run(
            [*line, *map(str, arguments)],
            cwd=cwd or tmp_path / "inside",
            env=settings | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        events = tuple(tuple(json.loads(each)) for each in notes.read_text().splitlines())
        return Watched(code=done.returncode, said=done.stdout + done.stderr, events=events)

    return call


@contextmanager
def untouched(*folders: Path) -> Iterator[None]:
    """Assert that nobody opens or reads a file in these folders, by whatever means: Linux tells by inotify."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_NONBLOCK)
    assert descriptor >= 0
    try:
        for folder in folders:
            assert libc.inotify_add_watch(descriptor, os.fsencode(folder), OPENED | READ) >= 0
        yield
        try:
            data = os.read(descriptor, 65_536)
        except BlockingIOError:
            return
        raise AssertionError(f"opened or read: {sorted(set(_read_names(data)))}")
    finally:
        os.close(descriptor)


def _read_names(data: bytes) -> Iterator[str]:
    at = 0
    while at < len(data):
        _, _, _, length = struct.unpack_from("iIII", data, at)
        yield data[at + 16 : at + 16 + length].rstrip(b"\0").decode() or "the folder itself"
        at += 16 + length


def write_suite(folder: Path, checkpoint: Path) -> Path:
    """Write a spec, its data and its checkpoint into a folder, and return the spec."""
    shutil.copytree(checkpoint, folder / "tiny-bert")
    rows = ["text,label,author"]
    rows += [
        f"the film was {'good' if number % 2 else 'bad'} {number},{'pos' if number % 2 else 'neg'},a{number % 8}"
        for number in range(32)
    ]
    (folder / "texts.csv").write_text("\n".join(rows) + "\n")
    (folder / "small.yaml").write_text(SUITE)
    return folder / "small.yaml"


@pytest.fixture(scope="session")
def _ran(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a spec and its finished run, made once."""
    from harness.cli.main import run

    folder = tmp_path_factory.mktemp("ran")
    spec = write_suite(folder, tiny_bert)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        assert run(["run", str(spec), "--results", str(folder / "results"), "--quiet", "--offline"]) == 0
    shutil.rmtree(folder / "cache")
    return folder


@pytest.fixture
def ran(_ran: Path, attack: Attack) -> Path:
    """A finished run that a test may tamper with, in the attacker's folder, beside its spec and data."""
    shutil.copytree(_ran, attack.inside, dirs_exist_ok=True)
    run = attack.inside / "results" / "small"
    lock = json.loads((run / "lock.json").read_text())
    (run / "lock.json").write_text(json.dumps(lock | {"base": str(attack.inside)}))
    return run
