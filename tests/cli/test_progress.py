"""What a run leaves of the terminal when it is stopped."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys

import pytest

from harness.cli.progress import Interrupts

STOPPED = """
import os, signal
from harness.cli.progress import Interrupts
with Interrupts(lambda text: None) as interrupts:
    interrupts.listen(lambda: '', lambda kind, text: None)
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
