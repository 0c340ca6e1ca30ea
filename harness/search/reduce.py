"""Reduction: the best trial of a finished study, fitted again on less data."""

from __future__ import annotations

from harness.plan import Study
from harness.record.history import TrialRecord
from harness.record.scores import FoldJob


def list_reduced(study: Study, best: TrialRecord | None) -> list[FoldJob]:
    """Return the fits of a study's learning curve that its best trial lacks, the largest fraction first.

    So a budget that ends leaves what tells most: whether the last rows still helped. None has no curve.
    """
    if best is None:
        return []
    known = {fold.key for fold in best.reduced}
    jobs = [
        FoldJob.of(study, best.trial, best.candidate, repeat=0, fold=fold, fraction=fraction)
        for fraction in reversed(study.fractions)
        for fold in range(study.folds)
    ]
    return [job for job in jobs if job.key not in known]
