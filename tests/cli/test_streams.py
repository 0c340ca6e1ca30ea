"""What a command does whose terminal, reader or streams have gone."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.begun import make_run

COMMAND = [sys.executable, "-c", "from harness.cli.main import main; main()"]
TALKATIVE = """
import sys
from harness.cli.streams import secure_streams
from harness.report.console import open_terminal
secure_streams()
screen = open_terminal()
input()
for number in range(2000):
    screen.say(f"line {number}"); screen.print(f"line {number}")
open(sys.argv[1], "w").write("to the end")
sys.exit(7)
"""


@pytest.mark.parametrize("closing", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_command_with_closed_streams_ends_as_ever(tmp_path: Path, closing: str) -> None:
    folder = make_run(tmp_path)
    line = f'"$0" -c "$1" status {folder} {closing}; echo "code $?" > {tmp_path}/code'
    ended = subprocess.run(
        ["sh", "-c", line, sys.executable, COMMAND[2]],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (tmp_path / "code").read_text() == "code 0\n"
    assert ended.stderr == ""
    assert ("finished" in ended.stdout) == (">&-" not in closing.replace("2>&-", ""))


def test_a_reader_that_closes_costs_no_work_and_no_exit_code(tmp_path: Path) -> None:
    done = tmp_path / "done"
    ours, theirs = os.pipe()
    command = [sys.executable, "-c", TALKATIVE, str(done)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.close(ours)
    process.communicate(b"go\n", timeout=60)
    assert (process.returncode, done.read_text()) == (7, "to the end")


def test_a_terminal_that_closes_costs_no_work_and_no_exit_code(tmp_path: Path) -> None:
    done = tmp_path / "done"
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", TALKATIVE, str(done)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.close(ours)
    process.communicate(b"go\n", timeout=60)
    assert (process.returncode, done.read_text()) == (7, "to the end")


def test_a_full_disk_behind_stdout_is_told() -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*COMMAND, "schema"], stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )
    assert ended.returncode == 4
    assert "stdout: No space left on device" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_full_disk_behind_stderr_costs_nothing(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        line = [sys.executable, "-c", TALKATIVE, str(tmp_path / "done")]
        ended = subprocess.run(
            line, input=b"go\n", stdout=subprocess.DEVNULL, stderr=full, check=False, timeout=60
        )
    assert ended.returncode == 7


def test_a_locale_without_letters_gets_a_readable_status(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "COLUMNS": "40"}
    plain["PYTHONIOENCODING"] = ""  # tox sets it, and it goes before the locale
    ended = subprocess.run(
        [*COMMAND, "status", str(folder)], env=os.environ | plain, capture_output=True, check=True, timeout=60
    )
    assert ended.stdout.isascii()
    assert all(len(line) <= 40 for line in ended.stdout.decode().splitlines() if "/" not in line)
    assert b"finished" in ended.stdout
