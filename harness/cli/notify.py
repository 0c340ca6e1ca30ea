"""Notify: the user's own command, told what became of a run that nobody watches."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from harness.credentials import redact
from harness.errors import HarnessError, SpecError
from harness.record.troubles import name_cause

BUG = 70  # the exit code of a fault of ours
LIMIT_S = 30.0
SPACING_S = 60.0  # between two messages of trouble; the end is told in any case
MESSAGE_LETTERS = 2_000
Occasion = Literal["trouble", "finished", "budget", "stopped", "failed"]


def parse_command(text: str) -> list[str]:
    """Return the words of a command; raises `SpecError` where it could not be run, before a night is spent on it."""
    try:
        words = shlex.split(text)
    except ValueError as fault:
        raise SpecError(f"--notify-cmd '{text}': {fault}. Close what is quoted.") from None
    if not words:
        raise SpecError("--notify-cmd: names no command. Give a program and its arguments, or leave it out.")
    if shutil.which(words[0]) is None:
        raise SpecError(
            f"--notify-cmd: there is no program '{words[0]}'. It is not run by a shell: for pipes and variables "
            "write a script, or sh -c '...'."
        )
    return words


def open_notifier(command: str, *, suite: str, folder: Path, say: Callable[[str], None]) -> Notifier:
    """Return what tells a command of a run; where none is given nobody is told."""
    words = parse_command(command) if command else []
    return Notifier(words, {"HARNESS_SUITE": suite, "HARNESS_FOLDER": str(folder.absolute())}, say)


class Notifier:
    """Runs a command with the facts in its environment, and the message on its stdin.

    No words are no command: nobody is told. Nothing of a run becomes part of the command. It has half a minute, what
    it prints is dropped, and its failure is told in one line. Mutable: the same trouble is told once, and one within a
    minute of a message is only counted in the next.
    """

    def __init__(
        self,
        words: Sequence[str],
        facts: Mapping[str, str],
        say: Callable[[str], None],
        *,
        limit_s: float = LIMIT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._words = words
        self._facts = dict(facts)
        self._say = say
        self._limit_s = limit_s
        self._clock = clock
        self._told: set[str] = set()
        self._kept = 0  # troubles that came too soon after another
        self._next_s = clock()
        self._thread: threading.Thread | None = None

    def tell_trouble(self, message: str) -> None:
        """Tell of something that a person may want to mend while the run goes on; does not wait for the command."""
        cause = name_cause(message)
        if cause in self._told:
            return
        self._told.add(cause)
        if self._clock() < self._next_s:
            self._kept += 1
            return
        self._next_s = self._clock() + SPACING_S
        self._wait()
        # The search goes on meanwhile: a mail server may take its time.
        self._thread = threading.Thread(target=self._run, args=("trouble", message, None), daemon=True)
        self._thread.start()

    def tell_end(self, occasion: Occasion, message: str, exit_code: int) -> None:
        """Tell how the run ended, and wait for the command."""
        self._wait()
        self._run(occasion, message, exit_code)

    def _wait(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self, occasion: Occasion, message: str, exit_code: int | None) -> None:
        if not self._words:
            return
        if self._kept:
            message = f"{message} (and {self._kept} more troubles: see the log)"
            self._kept = 0
        # What an environment cannot hold: NUL, and halves of letters that come from damaged text.
        message = redact(message).replace("\0", " ").encode("utf-8", "replace").decode()[:MESSAGE_LETTERS]
        facts = self._facts | {"HARNESS_EVENT": occasion, "HARNESS_MESSAGE": message}
        facts["HARNESS_EXIT_CODE"] = "" if exit_code is None else str(exit_code)
        if (fault := _run_command(self._words, facts, message, self._limit_s)) is not None:
            self._say(f"--notify-cmd: '{self._words[0]}' {fault}; the run is as it was")


@contextmanager
def tell_fault(notifier: Notifier) -> Iterator[None]:
    """Tell of what ends the block by force, on its way to whoever answers for it."""
    try:
        yield
    except Exception as fault:
        code = fault.exit_code if isinstance(fault, HarnessError) else BUG
        kind = "" if isinstance(fault, HarnessError) else f"{type(fault).__name__}: "
        notifier.tell_end("failed", f"{kind}{fault}", code)
        raise


def _run_command(words: Sequence[str], facts: Mapping[str, str], message: str, limit_s: float) -> str | None:
    """Run a command to its end, and return what went wrong in words, None where nothing did."""
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=os.environ | facts,
            start_new_session=True,  # Ctrl-C is not meant for it, and what it started ends with it
        )
    except OSError as fault:
        return f"could not be started: {fault.strerror}"
    with process:
        try:
            _, said = process.communicate(f"{message}\n".encode(), timeout=limit_s)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            return f"was ended, for it took longer than {limit_s:g} s"
    if process.returncode == 0:
        return None
    lines = said.decode(errors="replace").strip().splitlines()
    return f"ended with {process.returncode}" + (f": {lines[-1]}" if lines else "")
