"""What a run leaves of the terminal when it is stopped."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from typing import IO

import pytest

from harness.cli.progress import Interrupts

STOPPED = """
import os, signal
from harness.cli.progress import Interrupts
with Interrupts(lambda text: None) as interrupts:
    interrupts.listen(lambda: '', lambda kind, text: None)
    interrupts.listen_again()
    for name in {signals}:
        os.kill(os.getpid(), getattr(signal, name))
"""


@pytest.mark.parametrize(("signals", "code"), [(("SIGINT", "SIGINT"), 130), (("SIGTERM",), 143)])
def test_a_forced_stop_gives_the_cursor_back(signals: tuple[str, ...], code: int) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", STOPPED.format(signals=signals)]
    ended = subprocess.run(command, stderr=theirs, check=False, timeout=60)
    os.close(theirs)
    said = os.read(ours, 1000)
    os.close(ours)
    assert (ended.returncode, said) == (code, b"\x1b[?25h")


def test_before_folds_run_ctrl_c_ends_what_takes_time() -> None:
    with pytest.raises(KeyboardInterrupt), Interrupts(print) as interrupts:
        signal.raise_signal(signal.SIGINT)
    assert not interrupts.asked()


def test_a_forced_stop_writes_nothing_into_a_log() -> None:
    command = [sys.executable, "-c", STOPPED.format(signals=("SIGTERM",))]
    ended = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (143, b"")


def test_a_terminal_that_closes_ends_nothing_and_is_noted() -> None:
    code = """
import os, signal, subprocess, sys
from harness.cli.progress import Interrupts
with Interrupts(print) as interrupts:
    os.kill(os.getpid(), signal.SIGHUP)
    interrupts.listen(lambda: "", lambda kind, text: print(kind, text))
    os.kill(os.getpid(), signal.SIGHUP)
    child = subprocess.Popen([sys.executable, "-c", "import signal; print(signal.getsignal(1) == signal.SIG_IGN)"])
    assert child.wait() == 0
    interrupts.listen_again()
    os.kill(os.getpid(), signal.SIGHUP)
print("the end")
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stdout.splitlines() == [
        "True",
        "signal SIGHUP: the terminal has gone, the run goes on",
        "the end",
    ]


def test_the_first_ctrl_c_says_how_long_and_both_are_noted() -> None:
    code = """
import os, signal
from harness.cli.progress import Interrupts
with Interrupts(lambda text: print("said", text, flush=True)) as interrupts:
    interrupts.listen(lambda: " (2 folds, about 40 s)", lambda kind, text: print(kind, text, flush=True))
    os.kill(os.getpid(), signal.SIGINT)
    assert interrupts.asked()
    os.kill(os.getpid(), signal.SIGINT)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    told = (
        "finishing the folds that run (2 folds, about 40 s); Ctrl-C again ends at once and loses only these"
    )
    assert ended.returncode == 130
    assert ended.stdout.splitlines() == [
        f"signal Ctrl-C: {told}",
        f"said {told}",
        "forced SIGINT: the folds that ran will run again",
    ]


def test_ctrl_c_is_heard_while_stderr_is_blocked() -> None:
    code = """
import os, signal, sys
from harness.cli.progress import Interrupts
from harness.cli.streams import secure_streams
from harness.report.console import open_terminal
secure_streams()
with Interrupts(open_terminal(color=False, bars=False).say) as interrupts:
    interrupts.listen(lambda: "", lambda kind, text: print(kind, flush=True))
    print("begins", flush=True)
    sys.stderr.write("x" * 1_000_000)
    sys.stderr.flush()
    print(interrupts.asked(), flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"begins\n"
        wait_until_full(process.stderr)
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == b"signal\n"
        said, wrote = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, b"True\n")
    assert wrote.count(b"x") == 1_000_000
    assert b"finishing the folds that run" in wrote


def wait_until_full(pipe: IO[bytes]) -> None:
    """Wait until a pipe that nobody reads takes no more."""
    capacity = fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ)
    end_s = time.monotonic() + 30
    while struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0] < capacity:
        assert time.monotonic() < end_s, "stderr is not blocked"
        time.sleep(0.05)
