"""A journal: Optuna's operations as lines of JSON, in memory or in a file that one process writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from harness.record.files import write_whole


class Journal:
    """What `optuna.storages.JournalStorage` asks of a backend, in the format of Optuna's own files.

    A file is neither locked nor synced, as Optuna's own backend does it six times a fold: the run's claim keeps others
    out, and what a crash loses here is rebuilt from the ledger. A lock would leave files behind when a kill hits it.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lines: list[bytes] = []

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a file, without the torn last line that a kill leaves."""
        journal = cls(path)
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            write_whole(path, data[:whole])
        journal._lines = data[:whole].splitlines()
        return journal

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Yield the operations from a number on."""
        return map(json.loads, self._lines[log_number_from:])

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append operations; after an OSError the file may end with half a line."""
        added = [json.dumps(log, separators=(",", ":")).encode() for log in logs]
        if self._path is not None:
            with self._path.open("ab") as file:
                file.write(b"".join(line + b"\n" for line in added))
        self._lines += added

    def as_bytes(self) -> bytes:
        """Return all operations as a file holds them."""
        return b"".join(line + b"\n" for line in self._lines)
