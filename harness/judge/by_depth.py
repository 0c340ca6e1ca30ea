"""Depths: what the best trial at each number of frozen blocks scores on its folds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from harness.judge.stats import corrected_resampled_t
from harness.judge.whole import Whole
from harness.plan import Study


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthScore:
    """The best of a study's complete trials that froze `depth` blocks: the mean of its folds with a 95 % interval.

    The mean is raw: the more trials a depth had, the more it flatters.
    """

    depth: int
    score: float
    low: float | None  # None: one fold alone has a score
    high: float | None
    trials: int


def score_depths(whole: Sequence[Whole], study: Study) -> tuple[DepthScore, ...]:
    """Return the depths that were tried, from the fewest frozen blocks; nothing for a baseline.

    The interval is that of the corrected resampled t (Nadeau & Bengio 2003): it may pass the ends of a metric's range.
    """
    found: dict[int, list[Whole]] = defaultdict(list)
    for trial in whole:
        if trial.record.candidate is not None:
            found[trial.record.candidate.freeze_depth].append(trial)
    return tuple(_score(depth, found[depth], study) for depth in sorted(found))


def _score(depth: int, trials: Sequence[Whole], study: Study) -> DepthScore:
    sign = 1 if study.higher_is_better else -1
    # As elsewhere, a trial is not compared on the folds that it alone defines.
    best = max(trials, key=lambda trial: (len(trial.scores), sign * trial.mean, -trial.record.trial))
    low = high = None
    if len(best.scores) > 1:
        test = corrected_resampled_t(best.scores, test_over_train=study.test_over_train)
        low, high = test.low, test.high
    return DepthScore(depth=depth, score=best.mean, low=low, high=high, trials=len(trials))
