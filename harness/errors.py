"""The errors a person can mend, each with the exit code that tells a script what happened.

HarnessError
├── SpecError            2  usage or spec: nothing started
├── EnvironmentFault     3  something outside is missing or unusable: nothing trained
│   ├── AssetError       3  an asset is absent, unreachable or not the bytes that were promised
│   ├── DataError        3  rows of the user's data cannot be used as they are
│   └── ModelError       3  a checkpoint cannot be loaded safely, or its winner cannot be refitted
└── StorageError         4  the results folder is full, read-only, corrupt or claimed: acknowledged state is safe

Anything else that escapes is a bug of ours (exit code 70) and shows its traceback.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import ClassVar


class HarnessError(Exception):
    """Something the user can mend: the message says where, what is wrong and what to do next."""

    exit_code: ClassVar[int] = 70


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong at one place of a file; `line` and `column` count from 1, 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.message}"


class SpecError(HarnessError):
    """A spec, a command line or an override that cannot be followed; lists all faults at once."""

    exit_code = 2

    def __init__(self, faults: Sequence[Fault] | str) -> None:
        self.faults: tuple[Fault, ...] = () if isinstance(faults, str) else tuple(faults)
        super().__init__(faults if isinstance(faults, str) else "\n".join(map(str, self.faults)))


class EnvironmentFault(HarnessError):  # noqa: N818 - EnvironmentError is Python's own name for OSError
    """Something outside the spec is missing or unusable: a package, a folder, a device."""

    exit_code = 3


class AssetError(EnvironmentFault):
    """An asset is absent, unreachable or not the bytes that were promised."""


class DataError(EnvironmentFault):
    """Rows of the user's data cannot be used as they are; names the file, the rows and the remedy."""


class ModelError(EnvironmentFault):
    """A checkpoint cannot be loaded, or not safely, or a candidate diverges when it is refitted."""


class StorageError(HarnessError):
    """The results folder is full, read-only, corrupt or claimed; what was acknowledged is safe."""

    exit_code = 4


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return " Did you mean 'x'?" for the known name nearest to `word`, or "" when none is near."""
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    return f" Did you mean '{near[0]}'?" if near else ""
