"""Counts: how many fits of a study are done, and how many are to do."""

from __future__ import annotations

from harness.plan import Study
from harness.record.history import History, TrialRecord


def count_fits(study: Study, history: History) -> int:
    """Return how many fits the ledger knows."""
    records = _list_records(study, history)
    return sum(len(record.folds) for record in records) + any(record.test for record in records)


def count_pending(study: Study, history: History) -> int:
    """Return how many are still to do, if no trial is pruned."""
    records = _list_records(study, history)
    ended = sum(record.state != "running" for record in records)
    confirmed = sum(len(record.folds) - len(record.search_folds(study.repeats)) for record in records)
    searching = max(0, study.trials - ended) * study.repeats * study.folds
    testing = study.locked and all(record.test is None for record in records)
    return searching + max(0, study.confirming - confirmed) + testing


def _list_records(study: Study, history: History) -> list[TrialRecord]:
    return [record for (name, _), record in history.trials.items() if name == study.id]
