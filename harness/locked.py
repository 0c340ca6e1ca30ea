"""The locked test: the best trial of every cell is scored once on what no trial has seen."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median_low
from typing import TYPE_CHECKING

from harness.judge.comparison import Cell
from harness.plan import Plan, Study
from harness.record.history import History
from harness.record.ledger import Ledger
from harness.record.scores import FoldJob
from harness.search.events import Event, FoldFinished, FoldStarted

if TYPE_CHECKING:
    from harness.search.pool import Pool
    from harness.search.schedule import Schedule

WAIT_S = 0.5  # how often it is looked whether to stop while all workers are busy


def list_tests(plan: Plan, cells: Sequence[Cell], history: History, *, reopen: bool) -> list[FoldJob]:
    """Return the fits whose scores on the locked part are still to be taken, of each study's best trial.

    `cells` are those of the plan's studies. A study that was tested once is left alone, whoever is best now, unless
    `reopen`.
    """
    locked = {study.id: study for study in plan.studies if study.locked}
    tested = _list_opened(history)
    opened = {study for study, _ in tested}
    chosen = {cell.study: cell for cell in cells if cell.trial is not None and cell.study in locked}
    return [
        _make_job(locked[study], cell, history)
        for study, cell in chosen.items()
        if study not in opened or (reopen and (study, cell.trial) not in tested)
    ]


def has_untested(plan: Plan, history: History) -> bool:
    """Say whether a study locks examples away that were not opened for it."""
    opened = {study for study, _ in _list_opened(history)}
    return any(study.locked and study.id not in opened for study in plan.studies)


def score_tests(
    jobs: Sequence[FoldJob],
    *,
    ledger: Ledger,
    pool: Pool,
    schedule: Schedule,
    stop: Callable[[], bool] = lambda: False,
    on_event: Callable[[Event], None] = lambda event: None,
) -> bool:
    """Fit the jobs on all that is not locked away and record each score; when `stop` says so no more starts.

    Returns whether all were fitted: `schedule` starts none that is not expected to end in time.
    """
    waiting, in_flight, tested = deque(jobs), 0, 0
    while waiting or in_flight:
        while waiting and (idle := pool.idle()) and not stop() and schedule.may_test(waiting[0].study):
            job = waiting.popleft()
            pool.submit(job, schedule.start(job, workers=len(idle) + in_flight))
            in_flight += 1
            on_event(FoldStarted(job=job))
        if not in_flight and (pool.idle() or stop() or not schedule.may_test(waiting[0].study)):
            return False  # else no worker is there, and one is waited for
        for job, score in pool.wait(WAIT_S):
            in_flight -= 1
            if schedule.take(job, score):
                ledger.record_test(score)
                on_event(FoldFinished(score=score))
                tested += 1
    return tested == len(jobs)


def _list_opened(history: History) -> set[tuple[str, int]]:
    """Return the trials that were tested; a fit that failed has shown nothing."""
    return {key for key, record in history.trials.items() if record.test and record.test.state == "ok"}


def _make_job(study: Study, cell: Cell, history: History) -> FoldJob:
    """Return the fit of a cell's best trial on everything open, for the median of the epochs that its folds took."""
    assert cell.trial is not None
    candidate = cell.candidate
    if candidate is not None:
        epochs = median_low(history.trials[cell.study, cell.trial].fitted_epochs())
        candidate = replace(candidate, epochs=epochs, patience=None)
    # What is locked away stands behind the last fold: see `harness.learn.folds`.
    return FoldJob.of(study, cell.trial, candidate, repeat=0, fold=study.folds)
