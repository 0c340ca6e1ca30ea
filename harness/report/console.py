"""The door to rich: data to stdout, the rest to stderr, bars where somebody watches."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from harness.credentials import redact
from harness.report.layout import sanitise

NARROWEST = 30
EXPECT_S = 600.0  # a log of a night has a line of what is left every ten minutes


class Watch(Protocol):
    """What a run tells whoever watches it; a context, so that the cursor is given back in the end."""

    def event(self, line: str) -> None:
        """Say that something happened."""

    def advance(self, task: str, *, done: int, best: str, last: str) -> None:
        """Say that `done` trials of a task have ended, how the last one did, and the best score so far ("": none)."""

    def expect(self, told: str) -> None:
        """Say how long the rest is expected to take."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """Where a verb writes: `print` for what was asked for, `say` for everything else."""

    data: Console
    talk: Console
    bars: bool = True
    """False where a person wants none."""

    @property
    def width(self) -> int:
        """The columns that there are for data, 80 where nobody says."""
        return max(NARROWEST, self.data.width)

    def print(self, text: str) -> None:
        """Write text to stdout as it is, but for what could move the cursor."""
        _write(self.data, text)

    def say(self, text: str) -> None:
        """Write text for a person to stderr."""
        _write(self.talk, text)

    def watch(self, trials: Mapping[str, int]) -> Watch:
        """Return live bars for the trials of each task, or plain lines where stderr is no terminal."""
        if self._is_live():
            return _Bars(self.talk, trials)
        return _Lines(self.talk, trials)

    @contextmanager
    def meter(self, size: int) -> Iterator[Callable[[int], None]]:
        """Show a live bar of `size` bytes until the block ends; nothing where stderr is no terminal."""
        if not self._is_live():
            yield lambda done: None
            return
        columns = (BarColumn(bar_width=20), DownloadColumn(), TimeRemainingColumn(compact=True))
        with Progress(*columns, console=self.talk, transient=True) as progress:
            bar = progress.add_task("", total=size)
            yield lambda done: progress.update(bar, completed=done)

    @property
    def draws(self) -> bool:
        """Whether data can be drawn over: stdout is a terminal that can move its cursor."""
        return self.data.is_terminal and not self.data.is_dumb_terminal

    @contextmanager
    def canvas(self) -> Iterator[Callable[[str], None]]:
        """Give what draws a text over the one before, until the block ends; the last one stays."""
        with Live(console=self.data, auto_refresh=False) as live:
            yield lambda text: live.update(Text(_clean(self.data, text), no_wrap=True), refresh=True)

    def _is_live(self) -> bool:
        return self.bars and self.talk.is_terminal and not self.talk.is_dumb_terminal


def open_terminal(
    *,
    color: bool = True,
    bars: bool = True,
    stdout: IO[str] | None = None,
    stderr: IO[str] | None = None,
) -> Terminal:
    """Return the process's terminal; NO_COLOR and COLUMNS are honoured, `color=False` is --no-color."""
    return Terminal(
        data=_open(sys.stdout if stdout is None else stdout, color=color),
        talk=_open(sys.stderr if stderr is None else stderr, color=color),
        bars=bars,
    )


def _open(file: IO[str], *, color: bool) -> Console:
    # The names in a line are not markup, not emoji and not numbers to be highlighted.
    return Console(
        file=file, markup=False, emoji=False, highlight=False, no_color=not color or "NO_COLOR" in os.environ
    )


def _write(console: Console, text: str) -> None:
    """Write lines without wrapping."""
    console.print(Text(_clean(console, text)), soft_wrap=True)


def _clean(console: Console, text: str) -> str:
    """Return lines that cannot move the cursor; letters that the stream cannot encode become `?`."""
    lines = "\n".join(map(sanitise, redact(text).splitlines()))
    return lines.encode(console.encoding, "replace").decode(console.encoding)


class _Lines:
    """One plain line for each event."""

    def __init__(self, console: Console, trials: Mapping[str, int]) -> None:
        self._console = console
        self._trials = dict(trials)
        self._expected_at = -math.inf

    def event(self, line: str) -> None:
        _write(self._console, line)

    def expect(self, told: str) -> None:
        if time.monotonic() >= self._expected_at + EXPECT_S:
            self._expected_at = time.monotonic()
            _write(self._console, told)

    def advance(self, task: str, *, done: int, best: str, last: str) -> None:
        _write(self._console, f"{task} {_tell(done, self._trials[task], best)}  {last}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return


class _Bars:
    """A live bar for each task, with lines of events above and what is left below."""

    def __init__(self, console: Console, trials: Mapping[str, int]) -> None:
        self._console = console
        self._trials = dict(trials)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[told]}", markup=False),
            console=console,
        )
        self._expected = Text()
        self._live = Live(get_renderable=self._render, console=console)
        self._bars: dict[str, TaskID] = {
            task: self._progress.add_task(sanitise(task), total=total, told=_tell(0, total, ""))
            for task, total in self._trials.items()
        }

    def event(self, line: str) -> None:
        _write(self._console, line)

    def advance(self, task: str, *, done: int, best: str, last: str) -> None:
        told = sanitise(_tell(done, self._trials[task], best))
        self._progress.update(self._bars[task], completed=done, told=told)

    def expect(self, told: str) -> None:
        self._expected = Text(sanitise(told))

    def _render(self) -> Group:
        return Group(self._progress, self._expected)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()


def _tell(done: int, total: int, best: str) -> str:
    return f"{done}/{total} trials" + (f"  best {best}" if best else "")
