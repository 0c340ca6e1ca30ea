"""What a run leaves of the terminal when it is stopped."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from harness.cli.progress import Interrupts
from harness.record.files import claim_run
from harness.record.log import read_log, write_log

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


def test_a_terminal_that_closes_ends_nothing_and_is_noted() -> None:
    code = """
import os, signal, subprocess, sys
from harness.cli.progress import Interrupts
with Interrupts(print) as interrupts:
    os.kill(os.getpid(), signal.SIGHUP)
    child = subprocess.Popen([sys.executable, "-c", "import signal; print(signal.getsignal(1) == signal.SIG_IGN)"])
    assert child.wait() == 0
    interrupts.listen(lambda: "", lambda kind, text: print(kind, text))
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


@pytest.mark.parametrize(("ours", "kinds"), [(True, ["claim", "forced"]), (False, ["claim"])])
def test_sigterm_before_folds_run_is_noted_in_a_run_of_ours_alone(
    tmp_path: Path, ours: bool, kinds: list[str]
) -> None:
    code = """
import os, signal, sys
from contextlib import nullcontext
from pathlib import Path
from harness.cli.progress import Interrupts, watch_run
from harness.record.files import claim_run
folder, ours = Path(sys.argv[1]), sys.argv[2] == "True"
with Interrupts(print) as interrupts, watch_run(None, interrupts, folder, quiet=True):
    with claim_run(folder) if ours else nullcontext():
        os.kill(os.getpid(), signal.SIGTERM)
"""
    with nullcontext() if ours else claim_run(tmp_path):
        write_log(tmp_path, "claim", "somebody")
        ended = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path), str(ours)], check=False, timeout=60
        )
    assert (ended.returncode, [entry.kind for entry in read_log(tmp_path)]) == (143, kinds)
