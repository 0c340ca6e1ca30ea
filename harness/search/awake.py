"""AwakeClock: seconds that do not pass while this process is stopped."""

from __future__ import annotations

import time
from collections.abc import Callable

STOPPED_S = 30.0  # without work between two looks: shorter is a busy machine


class AwakeClock:
    """A monotonic clock that stands still over SIGSTOP. Mutable: it knows when it was looked at last.

    A process cannot see that it was stopped, only that time went by in which it neither worked nor meant to wait.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        worked: Callable[[], float] = time.process_time,
    ) -> None:
        self._clock, self._worked = clock, worked
        self._looked_s, self._worked_s = clock(), worked()
        self._stopped_s = 0.0

    def read(self, *, waited_s: float = 0.0) -> float:
        """Return the seconds awake; `waited_s` is how long the process meant to wait since the last look."""
        now_s, worked_s = self._clock(), self._worked()
        gap_s = now_s - self._looked_s - max(waited_s, worked_s - self._worked_s)
        if gap_s > STOPPED_S:
            self._stopped_s += gap_s
        self._looked_s, self._worked_s = now_s, worked_s
        return now_s - self._stopped_s
