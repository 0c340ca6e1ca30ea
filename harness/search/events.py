"""What a person may want to see of a search while it runs."""

from __future__ import annotations

from dataclasses import dataclass

from harness.candidate import Candidate
from harness.record.scores import FoldJob, FoldScore, TrialState


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialAsked:
    """A trial was proposed; None is a baseline's candidate."""

    study: str
    trial: int
    candidate: Candidate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldStarted:
    """A worker was given a fold."""

    job: FoldJob


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldFinished:
    """A fold's score is durable."""

    score: FoldScore


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialEnded:
    """A trial came to its end; `mean` is None where it failed."""

    study: str
    trial: int
    state: TrialState
    reason: str
    mean: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyStopped:
    """A study asks for no more trials before it has spent them; `cause` is a sentence."""

    study: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """How long the rest of the suite will take on so many workers, by what its fits took, or were timed to take."""

    remaining_s: float
    workers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLost:
    """A worker died, hung or could not be started; what it was fitting is asked again, or has failed."""

    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOpened:
    """What fits the folds is there: folds start from now on, no library does."""


Event = (
    PoolOpened | TrialAsked | FoldStarted | FoldFinished | TrialEnded | StudyStopped | Expected | WorkerLost
)
