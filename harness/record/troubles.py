"""Troubles: what went wrong in a run, by cause."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from harness.plan import Study
from harness.record.history import History, TrialRecord
from harness.record.scores import FoldScore
from harness.record.times import end_of

FIRST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What went wrong alike, once or more often: the first cause in words, where it was, and when."""

    cause: str
    outcome: str  # what became of it
    times: int
    place: str  # of the first
    first: datetime | None  # None: the ledger does not say
    last: datetime | None


def list_troubles(studies: Sequence[Study], history: History) -> tuple[Trouble, ...]:
    """Return what went wrong, by cause, the most frequent first."""
    found: dict[tuple[str, str], list[Trouble]] = {}
    for study in studies:
        for record in history.of(study.id):
            for trouble in _troubles_of(study, record):
                found.setdefault((name_cause(trouble.cause), trouble.outcome), []).append(trouble)
    joined = [_join(alike) for alike in found.values()]
    return tuple(sorted(joined, key=lambda trouble: (-trouble.times, trouble.first or FIRST)))


def _troubles_of(study: Study, record: TrialRecord) -> list[Trouble]:
    outcome = {"failed": "trial failed", "running": "trial not ended"}.get(record.state, "study went on")
    place = f"{study.task} {study.backbone} {study.arm}"
    if study.outer_fold is not None:
        place = f"{place} outer fold {study.outer_fold}"
    place = f"{place} t-{record.trial:04d}"
    folds = [fold for fold in (*record.folds, *record.reduced, record.test) if fold is not None]
    troubles = [
        _trouble(fold.error or fold.state, outcome, f"{place} fold {fold.fold}", end_of(fold))
        for fold in folds
        if fold.state != "ok"
    ]
    troubles += [
        _trouble("out of memory", tell_repeat(fold), f"{place} fold {fold.fold}", end_of(fold))
        for fold in folds
        if fold.state == "ok" and fold.micro_batch is not None
    ]
    if record.state == "failed" and all(fold.state == "ok" for fold in folds):
        ends = [end for end in map(end_of, folds) if end is not None]
        troubles.append(_trouble(record.reason, outcome, place, max(ends, default=None)))
    return troubles


def _trouble(cause: str, outcome: str, place: str, at: datetime | None) -> Trouble:
    return Trouble(cause=cause, outcome=outcome, times=1, place=place, first=at, last=at)


def _join(alike: Sequence[Trouble]) -> Trouble:
    ordered = sorted(alike, key=lambda trouble: trouble.first or FIRST)
    return replace(ordered[0], times=len(ordered), last=ordered[-1].last)


def tell_repeat(fold: FoldScore) -> str:
    """Return how a fold ended for which memory did not suffice at first."""
    return f"repeated with {fold.micro_batch} examples at a time: {fold.state}"


def name_cause(reason: str) -> str:
    """Return a reason by which causes can be compared: the step and the rate at which a loss diverged differ."""
    return re.sub(r"[-+]?\d[\d.,e+-]*", "#", reason)
