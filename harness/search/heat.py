"""Heat: trials under way that go from fold to fold together."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.candidate import Candidate
from harness.record.scores import FoldScore


@dataclass(slots=True, kw_only=True)
class Trial:
    """A trial under way; folds by step, which is repeat x folds + fold."""

    number: int
    candidate: Candidate | None
    folds: dict[int, FoldScore] = field(default_factory=dict)
    in_flight: set[int] = field(default_factory=set)

    def failure(self) -> FoldScore | None:
        """Return the first fold that failed."""
        return next((self.folds[step] for step in sorted(self.folds) if self.folds[step].state != "ok"), None)

    def has_answered(self, step: int) -> bool:
        """Tell whether nothing more is to come for this step."""
        return step in self.folds or (self.failure() is not None and not self.in_flight)


@dataclass(slots=True, kw_only=True)
class Heat:
    """Trials that go from fold to fold together: a batch, or one trial alone."""

    trials: list[Trial]
    full: bool
    front: int = 0  # the first step that is not settled
