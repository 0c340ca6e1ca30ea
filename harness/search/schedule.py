"""Schedule: what of a suite may still start, by its budget and by what its own fits took."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from harness.plan import Study
from harness.record.counts import count_following, count_untested
from harness.record.history import History
from harness.record.scores import FoldJob, FoldScore, Key
from harness.search.allotment import Allotment
from harness.search.events import Expected
from harness.search.forecast import Bench, Pace, forecast_s

REPORT_S = 10.0  # kept for the tables until it is known what they take
REHEARSED = 3.0  # tables of the end take longer than those of half-time: there are twice the trials
GRACE_S = 30.0  # for fits that were expected to end in time and do not
HUNG = 10.0  # times the usual: such a fit is not slow
RESERVED = 0.5  # of the time at most is kept for what follows the search
MARGIN = 1.1  # fits take longer and shorter
COUNT_S = 5.0  # how often it is counted anew what follows the search
RAISE = "raise it, and the same command goes on"
TELL_S = 10.0  # how often it is told when the suite will end


class Schedule:
    """Decides what may start. Mutable: it learns from every fold, and counts what is spent.

    The search ends early enough for what follows it: confirmation, learning curves, the locked test and the tables,
    by the seconds that this suite's own fits take. `rehearse` writes the tables once, at half-time, to be timed.
    """

    def __init__(
        self,
        studies: Sequence[Study],
        history: Callable[[], History],
        allotment: Allotment,
        *,
        clock: Callable[[], float],
        hints: Mapping[Bench, float] | None = None,
        workers: int = 1,
        rehearse: Callable[[], object] | None = None,
    ) -> None:
        self._studies = list({study.id: study for study in studies}.values())
        self._tasks = {study.id: study.task for study in self._studies}
        self._history = history
        self._allotment = allotment
        self._clock = clock
        self._rehearse = rehearse
        self._report_s = REPORT_S
        self._workers = workers
        before = history()
        self._pace = Pace(self._studies, before, hints or {})
        self._asked, self._spent_s = _count_spent(self._studies, before)
        self._started: dict[Key, float] = {}
        self._cut: set[Key] = set()  # fits whose limit is the end of the time
        self._counted_s = -math.inf  # when what follows was counted
        self._following_s = self._tests_s = 0.0
        self._told_s = -math.inf

    def may_ask(self, study: Study) -> bool:
        """Say whether a trial may be asked now, which is expected to have all of its folds in time."""
        if self.is_closed(study):
            return False
        trial_s = (self._pace.expect_s(study.id) or 0.0) * study.repeats * study.folds
        return self._clock() + trial_s <= self._search_ends_s()

    def is_closed(self, study: Study) -> bool:
        """Say whether a study may ask no trial any more, so that what follows its search may begin."""
        return self.is_late() or (study.kind != "baseline" and bool(self._find_spent(study.task)))

    def is_late(self) -> bool:
        """Say whether the time of the search is over."""
        return self._clock() >= self._search_ends_s()

    def note_asked(self, study: Study) -> None:
        """Count a trial."""
        self._asked += study.kind != "baseline"

    def may_start(self, study: str) -> bool:
        """Say whether a fit of a study, by id, is expected to end before the locked tests must begin."""
        expected_s = self._pace.expect_s(study) or 0.0
        return self._clock() + expected_s <= self._fits_end_s() - self._tests_s

    def may_test(self, study: str) -> bool:
        """Say whether a fit of a study, by id, is expected to end before the tables must be written."""
        return self._clock() + (self._pace.expect_s(study) or 0.0) <= self._fits_end_s()

    def start(self, job: FoldJob, *, workers: int) -> float | None:
        """Note that a fit starts on one of so many workers, and return the seconds after which it is given up."""
        now_s = self._clock()
        self._started[job.key] = now_s
        self._workers = max(1, workers)
        hung_s, left_s = self._find_hung_s(job.study), self._fits_end_s() + GRACE_S - now_s
        if left_s < hung_s:
            self._cut.add(job.key)
        limit_s = min(hung_s, left_s)
        return None if math.isinf(limit_s) else max(0.1, limit_s)

    def take(self, job: FoldJob, score: FoldScore) -> bool:
        """Learn from an answer; False where the fit was given up because the time is over, which is no failure."""
        asked_s = self._clock() - self._started.pop(job.key)
        if score.state == "timeout" and job.key in self._cut:
            return False
        self._cut.discard(job.key)
        self._pace.note(score, asked_s)
        self._spent_s[job.task] += score.fit_s
        return True

    def rehearse(self) -> None:
        """Write the tables once, when half of the time is over: the end must leave time for them."""
        limit = self._allotment
        if self._rehearse is None or limit.ends_s is None:
            return
        now_s = self._clock()
        if now_s < (limit.began_s + limit.ends_s) / 2:
            return
        self._rehearse()
        self._rehearse = None
        self._report_s = max(REPORT_S, REHEARSED * (self._clock() - now_s))

    def tell_end(self) -> str:
        """Return why not all was done, in words."""
        if self.is_late():
            return self._allotment.cause
        spent = sorted({why for study in self._studies if (why := self._find_spent(study.task))})
        return ", ".join(spent) or self._allotment.cause  # what is left would not end in time

    def forecast(self) -> Expected | None:
        """Return when the suite is expected to end; None where it was told just now, or nothing tells."""
        now_s = self._clock()
        if now_s < self._told_s + TELL_S:
            return None
        self._told_s = now_s
        left_s = forecast_s(self._studies, self._history(), pace=self._pace, workers=self._workers)
        until_end_s = max(0.0, self._fits_end_s() - self._clock())
        if left_s is None:
            return None
        return Expected(remaining_s=min(left_s, until_end_s), workers=self._workers)

    def _find_spent(self, task: str) -> str:
        """Return which part of the budget is spent for a task, but for the time; empty where none is."""
        limit = self._allotment
        if limit.trials is not None and self._asked >= limit.trials:
            return f"the {limit.trials} trials of budget.trials are spent: {RAISE}"
        if limit.task_s is not None and self._spent_s[task] >= limit.task_s:
            return f"the {limit.task_s / 3600:g} h of budget.per_task are spent on '{task}': {RAISE}"
        return ""

    def _find_hung_s(self, study: str) -> float:
        limit_s, usual_s = self._allotment.fold_s, self._pace.usual_s(study)
        return math.inf if limit_s is None else max(limit_s, HUNG * (usual_s or 0.0))

    def _fits_end_s(self) -> float:
        """Return when the last fit must have ended: the tables are written then."""
        limit = self._allotment
        if limit.ends_s is None:
            return math.inf
        return limit.ends_s - min(self._report_s, RESERVED * (limit.ends_s - limit.began_s))

    def _search_ends_s(self) -> float:
        limit = self._allotment
        if limit.ends_s is None:
            return math.inf
        self._count_following()
        kept_s = min(self._following_s, RESERVED * (limit.ends_s - limit.began_s))
        return self._fits_end_s() - kept_s

    def _count_following(self) -> None:
        now_s = self._clock()
        if now_s < self._counted_s + COUNT_S:
            return
        history = self._history()
        paces = [(study, self._pace.expect_s(study.id) or 0.0) for study in self._studies]
        following_s = math.fsum(count_following(study, history) * fit_s for study, fit_s in paces)
        tests_s = math.fsum(count_untested(study, history) * fit_s for study, fit_s in paces)
        # No fit is cut in two: the last one of each stage leaves other workers idle.
        longest_s = max((fit_s for _, fit_s in paces), default=0.0) if following_s else 0.0
        self._following_s = MARGIN * following_s / self._workers + longest_s
        self._tests_s = tests_s / self._workers
        self._counted_s = now_s


def _count_spent(studies: Sequence[Study], history: History) -> tuple[int, defaultdict[str, float]]:
    """Return how many trials were asked, and the seconds that were fitted by task."""
    asked, spent_s = 0, defaultdict[str, float](float)
    for study in studies:
        records = history.of(study.id)
        asked += len(records) if study.kind != "baseline" else 0
        fits = [
            fold for each in records for fold in (*each.folds, *each.reduced, each.test) if fold is not None
        ]
        spent_s[study.task] += math.fsum(fold.fit_s for fold in fits)
    return asked, spent_s
