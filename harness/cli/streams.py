"""Streams: this process's stdin, stdout and stderr, which outlive whoever is at their other end."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TextIO

from harness.errors import StorageError

GONE = (errno.EPIPE, errno.EIO)  # a reader that has closed; a terminal that has
DESCRIPTORS = (0, 1, 2)


def secure_streams() -> None:
    """Make stdin, stdout and stderr usable whatever became of them: closed ones lead nowhere.

    Writing to a reader that has gone is no error: a closed terminal or `| head` ends no work of a night. What stderr
    cannot take for another reason is lost, for nobody is left to be told; stdout then raises
    `StorageError`.
    """
    for number in DESCRIPTORS:
        # A closed descriptor would be given to the next file that is opened, and a print would go into a ledger.
        if not _is_open(number):
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = _outlive(sys.stdout, 1, GONE)
    sys.stderr = _outlive(sys.stderr, 2, tuple(errno.errorcode))


class _Lasting(io.FileIO):
    """A descriptor that leads nowhere from the first forgiven fault on."""

    def __init__(self, number: int, forgiven: tuple[int, ...]) -> None:
        io.FileIO.__init__(self, number, "w", closefd=False)
        self._forgiven = forgiven

    def write(self, data: object) -> int:
        """Write what can be written."""
        view = memoryview(data)  # type: ignore[arg-type]  # a buffer; typeshed's own name for it is private
        try:
            return os.write(self.fileno(), view)
        except OSError as fault:
            os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), self.fileno())
            if fault.errno in self._forgiven:
                return view.nbytes
            raise StorageError(
                f"stdout: {fault.strerror}. What the command did is done; free space, and ask again."
            ) from fault


def _outlive(stream: TextIO | None, number: int, forgiven: tuple[int, ...]) -> TextIO:
    encoding = "utf-8" if stream is None else stream.encoding
    errors = "backslashreplace" if stream is None or number == 2 else stream.errors
    buffer = io.BufferedWriter(_Lasting(number, forgiven))
    return io.TextIOWrapper(buffer, encoding=encoding, errors=errors, line_buffering=True)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
