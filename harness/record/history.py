"""History: everything a run's ledger says, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All trials of a run by (study, trial), and what was wrong with the ledger when it was read."""

    trials: Mapping[tuple[str, int], TrialRecord]
    damage: tuple[str, ...] = ()  # for a person: how many lines were lost, which was the last good one
