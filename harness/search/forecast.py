"""Forecast: how long fits take, from those that were measured, and what is left of a suite by that."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean, median

from harness.plan import Study
from harness.record.counts import count_pending
from harness.record.history import History
from harness.record.scores import FoldScore

Bench = tuple[str, str]
"""Task and backbone."""


class Pace:
    """The seconds that fits take. Mutable: it learns from every fold that was fitted.

    What a study's own fits took counts, else those of its task and backbone, else `hints`, else those of the suite.
    """

    def __init__(self, studies: Sequence[Study], history: History, hints: Mapping[Bench, float]) -> None:
        self._benches = {study.id: (study.task, study.backbone) for study in studies}
        self._baselines = {study.id for study in studies if study.kind == "baseline"}
        self._hints = hints
        self._by_study: defaultdict[str, list[float]] = defaultdict(list)
        self._by_bench: defaultdict[Bench, list[float]] = defaultdict(list)
        self._all: list[float] = []
        self._asked_s = self._fitted_s = 0.0
        for study in self._benches:
            for record in history.of(study):
                for score in record.folds:
                    self._learn(score)

    def note(self, score: FoldScore, asked_s: float) -> None:
        """Learn from a fold that was answered `asked_s` after it was asked."""
        self._learn(score)
        if score.state == "ok":  # an hour for which a fit hung says nothing of others
            self._asked_s += asked_s
            self._fitted_s += score.fit_s

    def expect_s(self, study: str) -> float | None:
        """Return the seconds in which a study's next fit is answered, by the nearest measurement; None without any.

        Whoever fits also opens benches, loads and sends: as much is added as that took until now.
        """
        fit_s = self._find_fit_s(study)
        if fit_s is None or not self._fitted_s:
            return fit_s
        return fit_s * max(1.0, self._asked_s / self._fitted_s)

    def usual_s(self, study: str) -> float | None:
        """Return the median seconds of a study's fits, else of its task and backbone's; None where none was fitted."""
        near = self._by_study.get(study) or self._by_bench.get(self._benches[study])
        return median(near) if near else None

    def _learn(self, score: FoldScore) -> None:
        # One that failed says nothing of those that do not, and less data take less time.
        if score.state != "ok" or score.fraction < 1 or score.study not in self._benches:
            return
        self._by_study[score.study].append(score.fit_s)
        if score.study not in self._baselines:  # they train no network
            self._by_bench[self._benches[score.study]].append(score.fit_s)
            self._all.append(score.fit_s)

    def _find_fit_s(self, study: str) -> float | None:
        if own := self._by_study.get(study):
            return fmean(own)
        if study in self._baselines:
            return None
        if near := self._by_bench.get(self._benches[study]):
            return fmean(near)
        if (hint := self._hints.get(self._benches[study])) is not None:
            return hint
        return fmean(self._all) if self._all else None


def forecast_s(studies: Sequence[Study], history: History, *, pace: Pace, workers: int) -> float | None:
    """Return the seconds that what is left of the studies takes; None where nothing tells.

    Trials are pruned as often as they were; a fit that nothing was measured for takes no time.
    """
    kept = _measure_kept(studies, history)
    seconds = []
    for study in {study.id: study for study in studies}.values():
        pending = count_pending(study, history)
        expected_s = pace.expect_s(study.id)
        if pending and expected_s is not None:
            seconds.append(pending * expected_s * (1.0 if study.kind == "baseline" else kept))
        if pending and expected_s is None and study.kind != "baseline":
            return None
    return math.fsum(seconds) / max(1, workers)


def _measure_kept(studies: Sequence[Study], history: History) -> float:
    """Return the share of their folds that trials have had which ended."""
    shares = [
        len(record.search_folds(study.repeats)) / (study.repeats * study.folds)
        for study in studies
        if study.kind != "baseline"
        for record in history.of(study.id)
        if record.state in ("complete", "pruned")
    ]
    return fmean(shares) if shares else 1.0
