"""Workers whose fits take what a test says, on a clock that only they move."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from harness.record.scores import FoldJob, FoldScore
from harness.search.pool import Bench, late_score
from tests.search.made import make_score

Seconds = Callable[[FoldJob], float]


class Timed:
    """A pool and its clock: waiting moves it on to the next fit that ends, or to the limit of one."""

    def __init__(
        self, workers: int, seconds: Seconds, score: Callable[[FoldJob], FoldScore] = make_score
    ) -> None:
        self.now_s = 1000.0
        self.jobs: list[FoldJob] = []  # that were started, in their order
        self.answered = 0
        self.most_s = -math.inf  # when the last fit ended
        self._free: list[Bench | None] = [None] * workers
        self._busy: list[tuple[float, FoldJob, FoldScore]] = []
        self._seconds = seconds
        self._score = score

    def clock(self) -> float:
        """Return the moment."""
        return self.now_s

    def idle(self) -> tuple[Bench | None, ...]:
        """Return what idle workers served last."""
        return tuple(self._free)

    def submit(self, job: FoldJob, limit_s: float | None) -> None:
        """Let an idle worker begin."""
        bench = (job.task, job.backbone)
        self._free.remove(bench if bench in self._free else self._free[0])
        self.jobs.append(job)
        takes_s = self._seconds(job)
        if limit_s is not None and takes_s > limit_s:
            self._busy.append((self.now_s + limit_s, job, late_score(job, limit_s)))
        else:
            assert math.isfinite(takes_s), f"nothing would end {job}"
            self._busy.append((self.now_s + takes_s, job, replace(self._score(job), fit_s=takes_s)))

    def wait(self, limit_s: float) -> list[tuple[FoldJob, FoldScore]]:
        """Move on to the end of the next fit, if it comes before the limit."""
        ends_s = min((end for end, _, _ in self._busy), default=math.inf)
        # A test may have moved the clock beyond the end of a fit.
        self.now_s = max(self.now_s, min(ends_s, self.now_s + limit_s))
        ended = [each for each in self._busy if each[0] <= self.now_s]
        self._busy = [each for each in self._busy if each[0] > self.now_s]
        self._free += [(job.task, job.backbone) for _, job, _ in ended]
        self.answered += len(ended)
        self.most_s = self.now_s if ended else self.most_s
        return [(job, score) for _, job, score in ended]

    def close(self) -> None:
        """Nothing is held."""
