"""`harness run` left alone: its terminal closes, its parent dies, its streams are gone, it is stopped for a while."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from harness.record.log import CLAIMED, read_log
from tests.whole.commands import (
    BASELINE_FOLDS,
    Command,
    check_complete,
    end_command,
    run_harness,
    start_in_shell,
    wait_for,
    write_suite,
)

pytestmark = [pytest.mark.whole, pytest.mark.faults]
Start = Callable[..., Command]
STOPPED_S = 3.0
SETTLED_S = 0.5  # a process that took a signal has gone by then
FEW = ("--set", "search.trials=1")
LONG = ("--set", "arms.depth.epochs=40")  # folds still run when its terminal has closed
KEEP = "import os, sys; open(sys.argv[1], 'a').write(os.environ['HARNESS_EVENT'] + ' ' + sys.stdin.read())"


@pytest.fixture
def place(tmp_path: Path, tiny_bert: Path) -> Path:
    """A folder with the suite in it."""
    write_suite(tmp_path, tiny_bert)
    return tmp_path


@pytest.fixture
def ended() -> Iterator[list[Command]]:
    """Commands that are ended if a test fails."""
    commands: list[Command] = []
    yield commands
    for command in commands:
        end_command(command)


def kinds(run: Path) -> list[str]:
    """The kinds of lines in a run's log, beside its claims."""
    return [entry.kind for entry in read_log(run) if entry.kind != CLAIMED]


def test_a_run_that_was_stopped_for_a_while_outlives_its_terminal(place: Path, ended: list[Command]) -> None:
    ours, theirs = pty.openpty()
    name = os.ttyname(theirs)
    command = start_in_shell(place, 2, f"< {name} > {name} 2> {name}", *FEW, *LONG, TERM="xterm")
    ended.append(command)
    wait_for(lambda: command.ended or _drain(ours, command), "folds")
    os.killpg(command.process.pid, signal.SIGSTOP)
    time.sleep(STOPPED_S)
    os.killpg(command.process.pid, signal.SIGCONT)
    below = set(command.left())
    os.killpg(command.process.pid, signal.SIGHUP)  # what a shell sends to its job, Ray's processes among it
    wait_for(lambda: "signal" in kinds(command.run), "word of it")
    os.close(theirs)
    os.close(ours)  # the kernel sends SIGHUP, and every write from now on is EIO
    time.sleep(SETTLED_S)
    assert not command.ended
    assert set(command.left()) == below
    assert command.finish() == 0
    check_complete(command.run)
    assert kinds(command.run) == ["start", "signal", "signal", "complete"]
    wait_for(lambda: not command.left(), "end of its processes", limit_s=5)


@pytest.mark.parametrize("redirections", ["<&- >&- 2>&-", "<&- | head -0 2> said.txt"])
def test_a_run_without_streams_in_a_plain_locale_ends_as_ever(
    place: Path, ended: list[Command], redirections: str
) -> None:
    command = start_in_shell(
        place,
        1,
        redirections,
        *FEW,
        LC_ALL="C",
        PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0",
        COLUMNS="40",
        PYTHONIOENCODING="",
    )
    ended.append(command)
    assert command.finish() == 0
    wait_for(lambda: not command.left(), "end")
    check_complete(command.run)
    assert kinds(command.run) == ["start", "complete"]


def test_the_end_is_told_though_stdout_takes_no_table(place: Path, ended: list[Command]) -> None:
    notify = f'{sys.executable} -c "{KEEP}" {place / "told"}'
    none = ("--set", "arms.depth.epochs=1", "--set", "budget.hours=0.00001")
    command = start_in_shell(place, 1, "> /dev/full 2> said.txt", *none, "--notify-cmd", notify)
    ended.append(command)
    assert command.finish() == 4
    assert "stdout: No space left on device" in command.said()
    assert (place / "told").read_text().startswith("budget small ")


def test_a_detached_run_outlives_its_parent_and_is_watched_from_elsewhere(place: Path) -> None:
    notify = f'{sys.executable} -c "{KEEP}" {place / "told"}'
    arguments = ("run", "small.yaml", "--workers", "1", "--offline", "--detach", "--json", *FEW)
    began_s = time.monotonic()
    started = run_harness(place, *arguments, "--notify-cmd", notify)
    assert started.returncode == 0, started.stderr
    document = json.loads(started.stdout)
    pid = document["pid"]
    try:
        assert os.getsid(pid) == pid  # no terminal of ours can hang it up
        assert time.monotonic() - began_s < 30
        second = run_harness(place, *arguments)
        assert (second.returncode, json.loads(second.stdout)["error"]["kind"]) == (4, "StorageError")
        assert f"process {pid}" in second.stdout
        watched = run_harness(place, "status", "small", "--watch")
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert watched.returncode == 0
    assert f"process {pid}" in watched.stdout.splitlines()[0]
    assert "finished" in watched.stdout
    run = place / "results" / "small"
    check_complete(run)
    wait_for(lambda: (place / "told").exists(), "message", limit_s=20)
    assert (place / "told").read_text().startswith("finished small is finished: ")
    assert "rank" in (run / "run.out").read_text()
    assert (run / "run.err").read_text() == ""


def test_a_detached_run_that_cannot_begin_says_so_at_once(place: Path) -> None:
    (place / "small.yaml").write_text("version: 1\nname: small\nfodls: 3\n")
    started = run_harness(place, "run", "small.yaml", "--detach")
    assert started.returncode == 2
    assert "unknown key 'fodls'" in started.stderr
    assert not (place / "results").exists()


def test_what_ends_a_detached_run_later_stands_in_its_status(place: Path) -> None:
    (place / "texts.csv").unlink()
    started = run_harness(place, "run", "--detach", "--offline", "--", "small.yaml")
    # Whether it has ended when its parent looks for the first time depends on the machine.
    assert started.returncode == 0 or (started.returncode == 3 and "texts.csv" in started.stderr)
    watched = run_harness(place, "status", "small", "--watch")
    assert "ended by a fault" in watched.stdout
    assert "texts.csv" in watched.stdout
    assert "the same command goes on" in watched.stdout


def _drain(terminal: int, command: Command) -> bool:
    """Read what a terminal was sent, so that nobody waits for it, and say whether folds have ended."""
    if select.select([terminal], [], [], 0)[0]:
        os.read(terminal, 65536)
    ledger = command.run / "ledger.jsonl"
    return ledger.exists() and ledger.read_bytes().count(b'"event":"fold"') >= BASELINE_FOLDS + 2
