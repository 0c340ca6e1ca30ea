"""Counts: how many fits of a study are done, and how many are to do."""

from __future__ import annotations

from harness.plan import Study
from harness.record.history import History, TrialRecord


def count_fits(study: Study, history: History) -> int:
    """Return how many fits the ledger knows."""
    records = history.of(study.id)
    fitted = sum(len(record.folds) + _count_reduced(study, record) for record in records)
    return fitted + any(record.test for record in records)


def count_pending(study: Study, history: History) -> int:
    """Return how many are still to do, if no trial is pruned."""
    ended = sum(record.state != "running" for record in history.of(study.id))
    searching = max(0, study.trials - ended) * study.repeats * study.folds
    return searching + count_following(study, history)


def count_following(study: Study, history: History) -> int:
    """Return how many of them follow the search: confirmation, the learning curve, the locked test."""
    records = history.of(study.id)
    confirmed = sum(len(record.folds) - len(record.search_folds(study.repeats)) for record in records)
    # Of the trial that is furthest: which one is the best is known when the search has ended.
    reduced = max((_count_reduced(study, record) for record in records), default=0)
    confirming = max(0, study.confirming - confirmed)
    return confirming + study.reducing - reduced + count_untested(study, history)


def count_untested(study: Study, history: History) -> int:
    """Return 1 where the locked test is still to be opened, else 0."""
    return int(study.locked and all(record.test is None for record in history.of(study.id)))


def _count_reduced(study: Study, record: TrialRecord) -> int:
    return sum(fold.fraction in study.fractions for fold in record.reduced)
