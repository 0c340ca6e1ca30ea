"""Detach: the same command again, as a process that outlives its terminal and its parent."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import typer

from harness.record.files import find_owner, make_folder, refuse_claimed, refuse_strays, storage_faults

OUTPUT, ERRORS = "run.out", "run.err"
OUTPUT_BYTES = 4_000_000  # what earlier runs wrote is dropped beyond it
FLAG = "--detach"
START_S = 60.0  # until it has claimed its run, on a machine that is busy
GLANCE_S = 0.1
HARNESS = "from harness.cli.main import main; main()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detached:
    """A command that runs on by itself."""

    pid: int
    folder: str
    output: str  # the file that its stdout goes to
    errors: str  # and its stderr


def attach(arguments: Sequence[str], valued: Collection[str]) -> list[str]:
    """Return a verb's command line without its `--detach`, and quiet; `valued` are the options that take a word.

    Quiet, for its log has what happens: what it prints are its tables, and what nobody expected.
    """
    verb, *words = arguments
    kept = [verb, "--quiet"]  # not at the end, where it may stand behind a `--`
    rest = iter(words)
    for word in rest:
        if word != FLAG:
            kept.append(word)
        if word in valued:
            kept += islice(rest, 1)
        if word == "--":
            kept += rest
    return kept


def start_detached(arguments: Sequence[str], folder: Path) -> Detached:
    """Start a command line, and return when it has claimed the run in `folder`.

    Raises `StorageError` where another process has claimed it; where the command ends before it has, this process ends
    with its words and its exit code.
    """
    refuse_strays(folder)
    owner = find_owner(folder)
    if owner is not None:
        raise refuse_claimed(folder, owner)
    make_folder(folder)
    files = (folder / OUTPUT, folder / ERRORS)
    with ExitStack() as stack:
        sinks = [stack.enter_context(_open_sink(file)) for file in files]
        began = [sink.tell() for sink in sinks]
        process = _start(arguments, *sinks)
    end_s = time.monotonic() + START_S
    while time.monotonic() < end_s:
        owner = find_owner(folder)
        if owner is not None and owner.pid == process.pid:
            break
        if process.poll() is not None:
            for file, start, stream in zip(files, began, (sys.stdout, sys.stderr), strict=True):
                stream.write(_read_from(file, start))
            raise typer.Exit(process.returncode if process.returncode >= 0 else 128 - process.returncode)
        time.sleep(GLANCE_S)
    return Detached(pid=process.pid, folder=str(folder), output=str(files[0]), errors=str(files[1]))


def describe_detached(detached: Detached, results: Path) -> dict[str, object]:
    """Return it as a document."""
    return asdict(detached) | {"watch": _tell_watch(detached, results), "stop": f"kill {detached.pid}"}


def show_detached(detached: Detached, results: Path) -> str:
    """Return where it runs, and how it is watched and stopped."""
    return "\n".join(
        (
            f" runs on as process {detached.pid} in {detached.folder}",
            f" watch it: {_tell_watch(detached, results)}",
            f" stop it:  kill {detached.pid}  (kill -INT {detached.pid} lets running folds end)",
        )
    )


def _tell_watch(detached: Detached, results: Path) -> str:
    where = [] if results == Path("results") else ["--results", str(results)]
    return shlex.join(["harness", "status", Path(detached.folder).name, *where, "--watch"])


def _start(arguments: Sequence[str], output: BinaryIO, errors: BinaryIO) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if name != "HARNESS_DETACH"}
    return subprocess.Popen(
        [sys.executable, "-P", "-c", HARNESS, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        env=environment,
        start_new_session=True,  # no terminal can hang it up, no Ctrl-C of its parent is meant for it
    )


def _open_sink(file: Path) -> BinaryIO:
    """Open a file for what a process prints, behind what earlier ones have, as far as that is not too much."""
    with storage_faults(file):
        sink = file.open("ab")
        if sink.tell() > OUTPUT_BYTES:
            sink.truncate(0)
            sink.seek(0)
    return sink


def _read_from(file: Path, start: int) -> str:
    with storage_faults(file), file.open("rb") as words:
        words.seek(start)
        return words.read().decode("utf-8", "replace")
