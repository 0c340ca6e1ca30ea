"""Pool: what fits folds, and the pool of one that is this process itself."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import Protocol

from harness.errors import HarnessError, StorageError
from harness.record.scores import FoldJob, FoldScore, FoldState

Scorer = Callable[[FoldJob], FoldScore]
Bench = tuple[str, str]  # task and backbone: what a worker keeps open, and what is expensive to open

MESSAGE_LINES = 3
TICK_S = 0.001  # the shortest a timer is set to: 0 would stop it
AGAIN_S = 1.0  # the alarm repeats: what it raises inside a destructor or a callback, Python drops


class Pool(Protocol):
    """Workers that fit folds, one each at a time; there may be more or fewer of them at any moment."""

    def idle(self) -> tuple[Bench | None, ...]:
        """Return for each worker that could fit a fold now the bench that it served last, None for no bench."""

    def submit(self, job: FoldJob, limit_s: float | None) -> None:
        """Give a job to an idle worker, one that served the job's bench last if there is one.

        A fold that takes longer than `limit_s` is given up (None: it may take for ever): `wait` answers it with the
        state "timeout", and its worker is replaced.
        """

    def wait(self, limit_s: float) -> list[tuple[FoldJob, FoldScore]]:
        """Return the folds that have ended, waiting up to `limit_s` for the first one, or for an idle worker."""

    def close(self) -> None:
        """Let the workers go, finished or not."""


class LocalPool:
    """Fits one fold at a time in this process; `wait` does the fitting, however long it takes.

    A fold over its limit is interrupted by SIGALRM, between two steps of Python: not inside a call of a library that
    never returns, and not at all where `wait` is called in another thread than the main one, which alone hears
    signals. There a fold has no limit.
    """

    def __init__(self, open_scorer: Callable[[], Scorer]) -> None:
        self._open_scorer = open_scorer
        self._scorer: Scorer | None = None
        self._asked: tuple[FoldJob, float | None] | None = None
        self._bench: Bench | None = None

    def idle(self) -> tuple[Bench | None, ...]:
        """Return the bench served last, nothing while a job waits."""
        return () if self._asked else (self._bench,)

    def submit(self, job: FoldJob, limit_s: float | None) -> None:
        """Keep a job for the next `wait`."""
        assert self._asked is None, "one fold at a time"
        self._asked = job, limit_s
        self._bench = (job.task, job.backbone)

    def wait(self, limit_s: float) -> list[tuple[FoldJob, FoldScore]]:
        """Fit the fold that was submitted."""
        if self._asked is None:
            return []
        if self._scorer is None:
            self._scorer = self._open_scorer()
        (job, fold_s), self._asked = self._asked, None
        try:
            with _alarm(fold_s):
                # Cache and results share this machine: a disk that is full for one is full for all.
                return [(job, score_safely(self._scorer, job, ends_run=(StorageError,)))]
        except _OutOfTime:
            # It was stopped anywhere: its benches are opened anew.
            self._scorer = self._bench = None
            return [(job, late_score(job, fold_s or 0.0))]

    def close(self) -> None:
        """Nothing is held."""


def score_safely(scorer: Scorer, job: FoldJob, *, ends_run: tuple[type[HarnessError], ...] = ()) -> FoldScore:
    """Return a fold's score, whatever happens to it but what `ends_run`."""
    try:
        score = scorer(job)
    except ends_run:
        raise
    except Exception as fault:  # noqa: BLE001  # one fold's fault must not end the suite; the fault is recorded
        return failed_score(job, fault)
    assert score.key == job.key, f"asked for {job.key}, was answered {score.key}"
    return score


def failed_score(job: FoldJob, fault: Exception) -> FoldScore:
    """Return the score of a fold that ended in a fault no scorer caught."""
    kind = "" if isinstance(fault, HarnessError) else f"{type(fault).__name__}: "
    return _score_without(job, "error", kind + first_lines(fault))


def late_score(job: FoldJob, limit_s: float) -> FoldScore:
    """Return the score of a fold that was given up after its limit."""
    late = _score_without(
        job, "timeout", f"no answer within {round(limit_s, 2):g} s: its worker was replaced"
    )
    return replace(late, fit_s=limit_s)  # it took the time, though it came to nothing


def first_lines(fault: BaseException) -> str:
    """Return the first lines of what a fault says."""
    return "\n".join(str(fault).strip().splitlines()[:MESSAGE_LINES])


def _score_without(job: FoldJob, state: FoldState, error: str) -> FoldScore:
    return FoldScore(
        study=job.study,
        trial=job.trial,
        repeat=job.repeat,
        fold=job.fold,
        fraction=job.fraction,
        outer_fold=job.outer_fold,
        state=state,
        error=error,
        freeze_depth=job.candidate.freeze_depth if job.candidate else None,
        host=socket.gethostname(),
    )


class _OutOfTime(BaseException):
    """Ends a fold over its limit; no `except Exception` of a scorer may keep it."""


@contextmanager
def _alarm(limit_s: float | None) -> Iterator[None]:
    """Raise `_OutOfTime` in the block after `limit_s`, then give the process its own handler and timer back."""
    if limit_s is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    armed = True

    def ring(_number: int, _frame: FrameType | None) -> None:
        if armed:
            raise _OutOfTime

    handler = signal.signal(signal.SIGALRM, ring)
    began = time.monotonic()
    left_s, every_s = signal.setitimer(signal.ITIMER_REAL, max(TICK_S, limit_s), AGAIN_S)
    try:
        try:
            yield
        finally:
            armed = False  # it may ring on the way out
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler or signal.SIG_DFL)
        if left_s:
            signal.setitimer(signal.ITIMER_REAL, max(TICK_S, left_s - (time.monotonic() - began)), every_s)
