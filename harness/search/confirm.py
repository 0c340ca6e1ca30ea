"""Confirmation: the best trials of a finished study, fitted again on further repeats."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

from harness.plan import Study
from harness.record.history import TrialRecord
from harness.record.means import mean_score
from harness.record.scores import FoldJob, FoldScore


class Confirmation:
    """What is left to fit before the winner is chosen by more than the folds that it was searched on.

    The first further repeat keeps the folds of the first and changes the training seed, each other changes both; see
    `harness.learn.folds`. Mutable: it is rebuilt from the ledger's trials when the same command runs again.
    """

    def __init__(self, study: Study, trials: Mapping[int, TrialRecord]) -> None:
        assert study.confirm is not None
        self._study = study
        steps = [
            (study.repeats + repeat, fold)
            for repeat in range(study.confirm.repeats)
            for fold in range(study.folds)
        ]
        # Repeat by repeat, so that a budget that ends leaves the chosen ones equally far.
        self._left = deque(
            (trial, repeat, fold)
            for repeat, fold in steps
            for trial in choose_best(study, trials)
            if (study.id, trial.trial, repeat, fold) not in {done.key for done in trial.folds}
        )
        self._in_flight: set[tuple[str, int, int, int]] = set()

    @property
    def done(self) -> bool:
        """Whether every fold has answered."""
        return not self._left and not self._in_flight

    def next_job(self) -> FoldJob | None:
        """Return a fold to start now, None where all are under way."""
        if not self._left:
            return None
        trial, repeat, fold = self._left.popleft()
        job = FoldJob.of(self._study, trial.trial, trial.candidate, repeat=repeat, fold=fold)
        self._in_flight.add(job.key)
        return job

    def take(self, score: FoldScore) -> None:
        """Note that a fold has answered; one that failed says that its trial is not confirmed."""
        self._in_flight.discard(score.key)


def choose_best(study: Study, trials: Mapping[int, TrialRecord]) -> list[TrialRecord]:
    """Return the complete trials with the best means over the folds that were searched on, the best first."""
    assert study.confirm is not None
    means = {
        number: mean
        for number, record in trials.items()
        if record.state == "complete"
        and (mean := mean_score(record.search_folds(study.repeats))) is not None
        and math.isfinite(mean)
    }
    sign = -1 if study.higher_is_better else 1
    # Twelve digits, so that the noise of summing breaks no tie.
    order = sorted(means, key=lambda number: (float(f"{sign * means[number]:.12g}"), number))
    return [trials[number] for number in order[: study.confirm.top]]
