"""Proposer: whom a course asks for trials, and who says whether it may."""

from __future__ import annotations

from typing import Protocol

from harness.candidate import Candidate
from harness.plan import Study
from harness.record.scores import TrialState


class Proposer(Protocol):
    """What a course needs to know of proposals; `harness.search.proposals.Proposals` is one."""

    def ask(self) -> tuple[int, Candidate | None] | None:
        """Return the next trial, None when there is no other."""

    def report(self, trial: int, step: int, mean: float) -> None:
        """Note the mean of a trial's folds up to `step`."""

    def should_prune(self, trial: int) -> bool:
        """Tell whether a trial is not worth its remaining folds."""

    def tell(self, trial: int, state: TrialState, value: float | None) -> None:
        """Say how a trial ended."""


class Gate(Protocol):
    """What a course needs to know of the suite's budget; `harness.search.schedule.Schedule` is one."""

    def may_ask(self, study: Study) -> bool:
        """Say whether a study may ask a trial now."""

    def is_closed(self, study: Study) -> bool:
        """Say whether it may ask none any more."""

    def note_asked(self, study: Study) -> None:
        """Count a trial."""


class Single:
    """Proposes a baseline's only trial, which has no candidate and is never pruned."""

    def __init__(self, *, asked: bool) -> None:
        self._asked = asked

    def ask(self) -> tuple[int, None] | None:
        """Return trial 0, once."""
        if self._asked:
            return None
        self._asked = True
        return 0, None

    def report(self, trial: int, step: int, mean: float) -> None:
        """Nothing depends on it."""

    def should_prune(self, trial: int) -> bool:
        """No."""
        return False

    def tell(self, trial: int, state: TrialState, value: float | None) -> None:
        """Nothing depends on it."""
