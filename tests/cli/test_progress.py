"""What a run leaves of the terminal when it is stopped."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

STOPPED = """
import os, signal
from harness.cli.progress import Interrupts
with Interrupts(lambda text: None):
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


def test_a_forced_stop_writes_nothing_into_a_log() -> None:
    command = [sys.executable, "-c", STOPPED.format(signals=("SIGTERM",))]
    ended = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (143, b"")
