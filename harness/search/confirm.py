"""Confirmation: the best trials of a finished study, fitted again on further repeats."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.plan import Study
from harness.record.history import TrialRecord
from harness.record.means import mean_score
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
    """Return the complete trials with the best means over the folds that were searched on, the best first."""
    assert study.confirm is not None
    means = {
        record.trial: mean
        for record in trials
        if record.state == "complete"
        and (mean := mean_score(record.search_folds(study.repeats))) is not None
        and math.isfinite(mean)
    }
    sign = -1 if study.higher_is_better else 1
    # Twelve digits, so that the noise of summing breaks no tie.
    order = sorted(means, key=lambda number: (float(f"{sign * means[number]:.12g}"), number))
    by_number = {record.trial: record for record in trials}
    return [by_number[number] for number in order[: study.confirm.top]]
