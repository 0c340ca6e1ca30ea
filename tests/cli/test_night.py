"""How a run stands, asked from another terminal."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.cli import night
from harness.record.files import claim_run
from tests.begun import make_run, stop_after

if TYPE_CHECKING:
    from tests.cli.conftest import Answer

COMMAND = [sys.executable, "-c", "from harness.cli.main import main; main()", "status"]
HOLD = """
import sys, time
from pathlib import Path
from harness.record.files import claim_run
with claim_run(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks of a watcher in this process are close together."""
    monkeypatch.setattr(night, "WATCH_S", 0.1)


def hold(folder: Path) -> subprocess.Popen[str]:
    """Another process that works on a run until its stdin closes."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end_later(process: subprocess.Popen[str]) -> subprocess.Popen[bytes]:
    """Kill a process in a second."""
    code = f"import os, time; time.sleep(1); os.kill({process.pid}, 9)"
    return subprocess.Popen([sys.executable, "-c", code])


def test_a_finished_run_is_told(tmp_path: Path, harness: Callable[..., Answer]) -> None:
    make_run(tmp_path, name="night")
    answer = harness("status", "night", "--results", tmp_path)
    assert (answer.code, answer.err) == (0, "")
    assert "4 complete, 0 pruned, 0 failed, 0 lost" in answer.out


def test_a_run_is_found_that_has_only_been_claimed(tmp_path: Path, harness: Callable[..., Answer]) -> None:
    with claim_run(tmp_path / "night"):
        answer = harness("status", "night", "--results", tmp_path)
    assert answer.code == 0
    assert "being prepared" in answer.out


def test_a_run_that_is_not_there_is_a_fault_of_the_command_line(
    tmp_path: Path, harness: Callable[..., Answer]
) -> None:
    make_run(tmp_path, name="night")
    answer = harness("status", "nigth", "--results", tmp_path)
    assert answer.code == 2
    assert "Did you mean 'night'?" in answer.err


def test_the_document_tells_all(tmp_path: Path, harness: Callable[..., Answer]) -> None:
    make_run(tmp_path, name="night")
    document = harness("status", "night", "--results", tmp_path, "--json").document()
    assert document["schema_version"] == 1
    assert document["phase"] == "complete"
    assert document["trials"]["complete"] == 4


def test_a_watcher_without_a_terminal_gets_a_line_a_change_until_the_run_ends(
    tmp_path: Path, harness: Callable[..., Answer]
) -> None:
    folder = make_run(tmp_path, name="night", trials=4, stop=stop_after(5))
    process = hold(folder)
    with process, end_later(process):
        answer = harness("status", "night", "--results", tmp_path, "--watch")
    first, second, *whole = answer.out.splitlines()
    assert first.startswith("night · running since")
    assert second.startswith("night · not running: process")
    assert whole[0].startswith(" night · not running")


def test_a_watching_program_gets_one_document_when_the_run_has_ended(
    tmp_path: Path, harness: Callable[..., Answer]
) -> None:
    folder = make_run(tmp_path, name="night")
    process = hold(folder)
    with process, end_later(process):
        answer = harness("status", "night", "--results", tmp_path, "--watch", "--json")
    assert answer.document()["owner"] is None


def test_a_watcher_at_a_terminal_is_drawn_over_and_leaves_quietly(tmp_path: Path) -> None:
    folder = make_run(tmp_path, name="night", trials=4, stop=stop_after(5))
    ours, theirs = pty.openpty()
    with hold(folder) as process:
        watcher = subprocess.Popen(
            [*COMMAND, str(folder), "--watch"], stdin=theirs, stdout=theirs, stderr=theirs,
            env=os.environ | {"TERM": "xterm", "COLUMNS": "80"}, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        said = b""
        end_s = time.monotonic() + 60
        while said.count(b"running since") < 2 and time.monotonic() < end_s:
            said += os.read(ours, 4096)
        os.kill(watcher.pid, signal.SIGINT)
        assert watcher.wait(30) == 130
        process.communicate("")
    os.close(ours)
    assert b"\x1b[1A" in said  # the cursor went up again
    assert b"Traceback" not in said
