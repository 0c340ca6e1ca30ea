"""Confirmation: the best trials of a finished study, fitted again on further repeats."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.plan import Study
from harness.record.history import TrialRecord
from harness.record.means import Preference, mean_score, order_trial
from harness.record.scores import FoldJob


def list_confirming(study: Study, trials: Sequence[TrialRecord]) -> list[FoldJob]:
    """Return what is left to fit before the winner is chosen by more than the folds that it was searched on.

    The first further repeat keeps the folds of the first and changes the training seed, each other changes both; see
    `harness.learn.folds`.
    """
    if study.confirm is None:
        return []
    best = choose_best(study, trials)
    known = {fold.key for trial in best for fold in trial.folds}
    # Repeat by repeat, so that a budget that ends leaves the chosen ones equally far.
    jobs = [
        FoldJob.of(study, trial.trial, trial.candidate, repeat=study.repeats + repeat, fold=fold)
        for repeat in range(study.confirm.repeats)
        for fold in range(study.folds)
        for trial in best
    ]
    return [job for job in jobs if job.key not in known]


def choose_best(study: Study, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the complete trials that are best on the folds that were searched on, in the order of the ranking."""
    assert study.confirm is not None
    folds = {
        record.trial: record.search_folds(study.repeats) for record in trials if record.state == "complete"
    }

    def has_score(record: TrialRecord) -> bool:
        mean = mean_score(folds.get(record.trial, ()))
        return mean is not None and math.isfinite(mean)

    def prefer(record: TrialRecord) -> Preference:
        return order_trial(record.trial, folds[record.trial], higher_is_better=study.higher_is_better)

    return sorted(filter(has_score, trials), key=prefer)[: study.confirm.top]
