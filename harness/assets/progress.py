"""What fetching tells whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Progress(Protocol):
    """Is told in lines what is about to take time, and in numbers how far a download is."""

    def say(self, line: str) -> None:
        """Say what is about to take time."""

    def meter(self, size: int) -> AbstractContextManager[Callable[[int], None]]:
        """Give what is told, a few times a second until the block ends, how many of `size` bytes are here."""


class _Silence:
    def say(self, line: str) -> None:
        pass

    def meter(self, size: int) -> AbstractContextManager[Callable[[int], None]]:
        return nullcontext(lambda done: None)


SILENCE: Progress = _Silence()
"""For where nobody waits."""
