"""Underway: the folds that run, and how long they may take."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.report.numbers import count_noun, show_span

if TYPE_CHECKING:
    from harness.record.scores import Key
    from harness.search.events import Event


class Underway:
    """Listens to which folds start and end. Mutable: it remembers how long those of each study took."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started_s: dict[Key, float] = {}
        self._longest_s: dict[str, float] = {}  # by study

    def note(self, event: Event) -> None:
        """Hear of an event."""
        from harness.search.events import FoldFinished, FoldStarted

        if isinstance(event, FoldStarted):
            self._started_s[event.job.key] = self._clock()
        if isinstance(event, FoldFinished):
            score = event.score
            self._started_s.pop(score.key, None)
            self._longest_s[score.study] = max(score.fit_s, self._longest_s.get(score.study, 0.0))

    def tell(self) -> str:
        """Return how many folds run and when the last of them should have ended, as far as others of its study tell."""
        if not self._started_s:
            return ""
        told = f" ({count_noun(len(self._started_s), 'fold')}"
        left = [self._expect_s(key, began_s) for key, began_s in self._started_s.items()]
        known = [seconds for seconds in left if seconds is not None]
        if len(known) < len(left):
            return told + "; none of their study has ended yet to tell how long)"
        if max(known) <= 0:
            return told + ", which take longer than any before)"
        return told + f", about {show_span(max(known))})"

    def _expect_s(self, key: Key, began_s: float) -> float | None:
        longest_s = self._longest_s.get(key[0])
        return None if longest_s is None else longest_s - (self._clock() - began_s)
