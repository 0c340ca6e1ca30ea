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
    records = history.of(study.id)
    ended = sum(record.state != "running" for record in records)
    confirmed = sum(len(record.folds) - len(record.search_folds(study.repeats)) for record in records)
    searching = max(0, study.trials - ended) * study.repeats * study.folds
    testing = study.locked and all(record.test is None for record in records)
    # Of the trial that is furthest: which one is the best is known when the search has ended.
    reduced = max((_count_reduced(study, record) for record in records), default=0)
    return searching + max(0, study.confirming - confirmed) + study.reducing - reduced + testing


def _count_reduced(study: Study, record: TrialRecord) -> int:
    return sum(fold.fraction in study.fractions for fold in record.reduced)
