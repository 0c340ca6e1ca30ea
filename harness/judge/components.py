"""The components of a cell's scores, from the trials that were confirmed on the folds of the search."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from harness.judge.stats import Components, split_components
from harness.judge.whole import Whole
from harness.plan import Study
from harness.record.scores import FoldScore


def find_components(whole: Sequence[Whole], study: Study) -> Components | None:
    """Return what moves the scores of a study; None where no trial was fitted again on all of its folds.

    The first repeat that confirms has the folds of the first repeat and other training seeds; repeats beyond it have
    other folds as well, so that nothing in them is comparable one by one.
    """
    layouts = []
    for trial in whole:
        seeds = (_by_fold(trial.folds, repeat=0), _by_fold(trial.further, repeat=study.repeats))
        shared = [[scores.get(fold, math.nan) for scores in seeds] for fold in range(study.folds)]
        if all(math.isfinite(score) for pair in shared for score in pair):
            layouts.append(shared)
    return split_components(layouts) if layouts else None


def _by_fold(folds: Sequence[FoldScore], *, repeat: int) -> Mapping[int, float]:
    return {
        fold.fold: fold.valid_score
        for fold in folds
        if fold.repeat == repeat and fold.valid_score is not None
    }
