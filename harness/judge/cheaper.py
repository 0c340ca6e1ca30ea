"""The cheaper candidate: what is within one standard error of the best, and what it costs to deploy it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.judge.case import Case
from harness.judge.comparison import Cheaper
from harness.judge.stats import BBC, summarise_bags
from harness.judge.whole import Whole, mean_known
from harness.plan import Study


def find_cheaper(
    whole: Sequence[Whole], best: Whole, case: Case, bagged: BBC, study: Study
) -> Cheaper | None:
    """Return the cheapest trial that is as good as the best, None where that is the best one itself.

    Breiman et al., "Classification and regression trees" (1984), section 3.4.3, with the standard error of Nadeau &
    Bengio (2003), for folds share training examples. Of equally many trained parameters the better mean is cheaper:
    seconds differ by what else the machine does.
    """
    if best.record.candidate is None or len(best.scores) < 2:
        return None
    sign = 1 if study.higher_is_better else -1
    share = 1 / len(best.scores) + study.test_over_train
    error = math.sqrt(share * float(np.var(best.scores, ddof=1)))
    near = [
        trial
        for trial in whole
        if len(trial.scores) == len(best.scores) and sign * (best.mean - trial.mean) <= error
    ]
    chosen = min(near, key=lambda trial: (_count(trial), -sign * trial.mean, trial.record.trial))
    if _count(chosen) >= _count(best) or chosen.record.candidate is None:
        return None
    alone = case.bag([list(whole).index(chosen)])
    lost = sign * (bagged.outside - alone.outside)  # (bags,)
    regret, interval = mean_known(lost.tolist()), summarise_bags(lost)
    if regret is None:
        return None
    return Cheaper(
        trial=chosen.record.trial,
        candidate=chosen.record.candidate,
        depth=chosen.record.candidate.freeze_depth,
        trainable_parameters=chosen.parameters,
        fit_s=mean_known([fold.fit_s for fold in chosen.folds]),
        regret=regret,
        low=interval.low,
        high=interval.high,
    )


def _count(trial: Whole) -> float:
    return math.inf if trial.parameters is None else trial.parameters
