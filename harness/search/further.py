"""Further: the fits that follow a search, stage by stage."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from harness.record.scores import FoldJob, FoldScore, Key

Stage = Callable[[], Sequence[FoldJob]]
"""Lists the fits of a stage that are not in the ledger yet, once every fit before it has answered."""


class Further:
    """What is left to fit when every trial of a study has ended; a stage may depend on what the one before came to.

    Mutable: it is rebuilt from the ledger when the same command runs again. A fit that failed has answered.
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = deque(stages)
        self._left: deque[FoldJob] = deque()
        self._in_flight: set[Key] = set()

    @property
    def done(self) -> bool:
        """Whether every fit of every stage has answered."""
        self._advance()
        return not self._left and not self._in_flight

    def next_job(self) -> FoldJob | None:
        """Return a fit to start now, None where all of the stage are under way."""
        self._advance()
        if not self._left:
            return None
        job = self._left.popleft()
        self._in_flight.add(job.key)
        return job

    def expects(self, score: FoldScore) -> bool:
        """Tell whether a score answers a fit of these stages."""
        return score.key in self._in_flight

    def take(self, score: FoldScore) -> None:
        """Note that a fit has answered."""
        self._in_flight.discard(score.key)

    def lose(self, job: FoldJob) -> None:
        """Note that a fit was given up: it and all that depends on it are left to the next run."""
        if job.key in self._in_flight:
            self._in_flight.discard(job.key)
            self.end()

    def end(self) -> None:
        """Start no fit any more."""
        self._left.clear()
        self._stages.clear()

    def _advance(self) -> None:
        while self._stages and not self._left and not self._in_flight:
            self._left.extend(self._stages.popleft()())
