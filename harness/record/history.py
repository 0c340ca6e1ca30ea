"""History: everything a run's ledger says, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from harness.candidate import Candidate
from harness.record.scores import FoldScore


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """One trial of a study and its folds so far, in the order in which they became durable."""

    study: str
    trial: int
    candidate: Candidate | None  # None: a baseline's only trial
    state: Literal["complete", "pruned", "failed", "running"]
    reason: str = ""  # why it was pruned or failed, in words
    folds: tuple[FoldScore, ...] = ()  # without predictions: these lie in their own files
    reduced: tuple[
        FoldScore, ...
    ] = ()  # fitted on a fraction of their training parts: points of a learning curve
    test: FoldScore | None = None  # on what was locked away; None: not opened for this trial

    def fitted_epochs(self) -> tuple[int, ...]:
        """Return how many epochs each of its folds took, of those that were fitted."""
        return tuple(fold.epochs for fold in self.folds if fold.state == "ok" and fold.epochs)

    def scores(self) -> tuple[FoldScore, ...]:
        """Return all that was fitted for it: its folds, points of its learning curve, its test."""
        tests = () if self.test is None else (self.test,)
        return (*self.folds, *self.reduced, *tests)

    def search_folds(self, repeats: int) -> tuple[FoldScore, ...]:
        """Return the folds of the repeats that every trial has, without those that confirmed it."""
        return tuple(fold for fold in self.folds if fold.repeat < repeats)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One process's work on a run."""

    started_at: str  # UTC, ISO 8601
    pid: int
    host: str
    elapsed_s: float = 0.0  # until its last line, on its own monotonic clock


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All trials of a run by (study, trial), and what was wrong with the ledger when it was read."""

    trials: Mapping[tuple[str, int], TrialRecord]
    damage: tuple[str, ...] = ()  # for a person: how many lines were lost, which was the last good one
    # What a kill leaves of the line that it interrupted: nothing is lost, and the results do not speak of it.
    torn: str = ""
    lost: int = 0  # lines that the ledger had and has no more, damaged ones included
    sessions: tuple[Session, ...] = ()  # of the processes that wrote to the ledger, in their order
    # By study, made when first asked for: looking through all trials for each study would be quadratic.
    _grouped: dict[str, tuple[TrialRecord, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def findings(self) -> tuple[str, ...]:
        """All that was found at the ledger, for a person who looks after the run."""
        return (*self.damage, self.torn) if self.torn else self.damage

    @property
    def spent_s(self) -> float:
        """Return how long processes have worked on the run, all sessions together."""
        return sum(session.elapsed_s for session in self.sessions)

    def of(self, study: str) -> tuple[TrialRecord, ...]:
        """Return the trials of a study, by id, in the order of their numbers."""
        if not self._grouped:
            groups: dict[str, list[TrialRecord]] = {}
            for key in sorted(self.trials):
                groups.setdefault(key[0], []).append(self.trials[key])
            self._grouped.update((name, tuple(records)) for name, records in groups.items())
        return self._grouped.get(study, ())
