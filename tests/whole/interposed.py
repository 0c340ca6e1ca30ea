"""What the operating system may do to a process that writes: die, or refuse, at any call that we choose.

`Interposed` replaces what Python's own modules call to write, to rename, to sync and to cut files, in this process and
for good: it is meant for a forked child. Nothing of ours is replaced.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Way = Literal["count", "kill", "half", "full", "broken"]
"""count: all pass; kill: die before the call; half: die after half of the bytes; full: ENOSPC after half of them;
broken: EIO instead of the call."""

CALLS = ("fsync", "rename", "replace", "ftruncate", "truncate", "link", "unlink", "mkdir", "pwrite")
WRITING = set("wax+")


@dataclass(slots=True, kw_only=True)
class Interposed:
    """Counts the calls that change files, and lets the one numbered `at` fail in its way."""

    at: int = -1
    way: Way = "count"
    calls: list[str] = field(default_factory=list)

    def install(self) -> None:
        """Take the place of the operating system in this process."""
        for name in CALLS:
            setattr(os, name, self._watch(name, getattr(os, name)))
        self._watch_os_write()
        self._watch_os_open()
        self._watch_files()

    def _strikes(self, name: str, size: int = 0) -> int | None:
        """Count a call: None lets it pass, a number says how many bytes it may write before the fault."""
        self.calls.append(name)
        if len(self.calls) - 1 != self.at or self.way == "count":
            return None
        return size // 2 if self.way in ("half", "full") else 0

    def _fail(self) -> None:
        """End this process, or refuse as a full or a broken disk does."""
        if self.way in ("kill", "half"):
            os.kill(os.getpid(), signal.SIGKILL)
        code = errno.ENOSPC if self.way == "full" else errno.EIO
        raise OSError(code, os.strerror(code))

    def _watch(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if self._strikes(name) is not None:
                self._fail()
            return real(*arguments, **options)

        return call

    def _watch_os_write(self) -> None:
        real = os.write

        def write(descriptor: int, data: Any) -> int:
            part = self._strikes("write", len(data))
            if part is None:
                return real(descriptor, data)
            if part:
                real(descriptor, bytes(data)[:part])
            self._fail()
            raise AssertionError

        os.write = write

    def _watch_os_open(self) -> None:
        real = os.open

        def open_descriptor(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
            if flags & (os.O_CREAT | os.O_WRONLY | os.O_RDWR) and self._strikes("open") is not None:
                self._fail()
            return real(path, flags, *arguments, **options)

        os.open = open_descriptor

    def _watch_files(self) -> None:
        """Give files that are opened for writing a bottom that asks before it writes."""
        outer, real = self, io.open

        class Raw(io.FileIO):
            def write(self, data: Any) -> int:
                view = bytes(data)
                part = outer._strikes("write", len(view))
                if part is None:
                    return io.FileIO.write(self, view)
                if part:
                    io.FileIO.write(self, view[:part])
                outer._fail()
                raise AssertionError

        def open_file(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            if not set(mode) & WRITING or not isinstance(file, (str, os.PathLike)):
                return real(file, mode, *arguments, **options)
            if self._strikes("open") is not None:
                self._fail()
            raw = Raw(os.fspath(file), mode.replace("b", "").replace("t", ""))
            buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
            return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding=options.get("encoding"))

        io.open = builtins.open = open_file  # type: ignore[assignment]  # the same calls, watched
