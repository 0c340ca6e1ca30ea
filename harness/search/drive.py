"""The loop that brings every study of a suite to its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.plan import Study
from harness.record.ledger import Ledger
from harness.record.scores import FoldJob
from harness.search.course import Course
from harness.search.events import Event, FoldStarted
from harness.search.hopeless import SUITE_TRIALS, share_cause
from harness.search.pool import Bench, Pool
from harness.search.proposer import Proposer, Single
from harness.search.rotation import take_turns
from harness.search.schedule import Schedule
from harness.spec.models import Search

WAIT_S = 0.5  # how often the loop looks whether it should stop while all workers are busy


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Why the loop ended, and which studies stopped before their trials were spent, by id with the cause."""

    ended: Literal["complete", "deadline", "stopped"]
    stopped: tuple[tuple[str, str], ...]
    why: str = ""  # which part of the budget ended it; empty where none did


def drive(
    studies: Sequence[Study],
    *,
    ledger: Ledger,
    open_proposals: Callable[[Study], Proposer],
    pool: Pool,
    search: Search,
    schedule: Schedule,
    minimum_trials: int = 1,
    find_best: Callable[[Study], int | None] = lambda study: None,
    stop: Callable[[], bool] = lambda: False,
    on_event: Callable[[Event], None] = lambda event: None,
) -> Outcome:
    """Run what the ledger does not know yet of the studies, the baselines first, the others in fair rotation.

    The same call resumes: what is in the ledger is never run again, and a study with more trials than before gets
    those added. `find_best` names the trial of a searched study that its learning curve is of, None for no curve.
    `schedule` says what may start in the time that is left; when `stop` says so nothing starts any more, and running
    folds are waited for. A study whose trials all fail alike stops, and all others with it where none of the suite
    has succeeded.
    """
    courses = _open_courses(studies, ledger, open_proposals, search, schedule, find_best, on_event)
    loop = _Loop(courses, pool, schedule, minimum_trials, on_event)
    loop.tell_forecast()
    while loop.start_folds(stop):
        loop.take_answers()
    ended: Literal["complete", "deadline", "stopped"] = "deadline"
    if loop.complete:
        ended = "complete"  # the last fold may have come in while the time ran out
    elif loop.stopped:
        ended = "stopped"
    return Outcome(
        ended=ended,
        stopped=tuple((course.study.id, course.cause) for course in courses if course.cause),
        why=schedule.tell_end() if ended == "deadline" else "",
    )


class _Loop:
    """Courses, workers, and the folds between them. Mutable: it is the state of the search."""

    def __init__(
        self,
        courses: Sequence[Course],
        pool: Pool,
        schedule: Schedule,
        minimum_trials: int,
        on_event: Callable[[Event], None],
    ) -> None:
        self.stopped = False
        self._courses = courses
        self._by_study = {course.study.id: course for course in courses}
        self._pool = pool
        self._schedule = schedule
        self._minimum_trials = minimum_trials
        self._on_event = on_event
        self._in_flight = 0

    @property
    def complete(self) -> bool:
        """Whether every study has had all that was asked for."""
        return all(course.complete for course in self._courses)

    def start_folds(self, stop: Callable[[], bool]) -> bool:
        """Give every idle worker a fold, as far as any may start; False where nothing more is to come."""
        while idle := self._pool.idle():
            self.stopped = self.stopped or stop()
            if self.stopped:
                break
            if self._schedule.is_late():
                self._end_searches()
            job = self._choose(idle)
            if job is not None:
                self._start(job, workers=len(idle) + self._in_flight)
            elif self._in_flight or not self._end_searches():
                break
        if self._in_flight:
            return True
        self.stopped = self.stopped or stop()
        return self._lacks_workers()

    def take_answers(self) -> None:
        """Wait for folds that end, and record what they came to."""
        for job, score in self._pool.wait(WAIT_S):
            self._in_flight -= 1
            course = self._by_study[job.study]
            if self._schedule.take(job, score):
                course.take(job, score)
            else:
                course.lose(job)
        self._give_up_if_hopeless()
        self._schedule.rehearse()
        self.tell_forecast()

    def tell_forecast(self) -> None:
        """Say when the suite is expected to end, now and then."""
        if (expected := self._schedule.forecast()) is not None:
            self._on_event(expected)

    def _lacks_workers(self) -> bool:
        """Say whether work waits for a worker alone: all of a cluster may be gone for a while."""
        may_go_on = not (self.stopped or self.complete or self._schedule.is_late())
        return may_go_on and not self._pool.idle()

    def _start(self, job: FoldJob, *, workers: int) -> None:
        self._pool.submit(job, self._schedule.start(job, workers=workers))
        self._in_flight += 1
        self._on_event(FoldStarted(job=job))

    def _choose(self, idle: Sequence[Bench | None]) -> FoldJob | None:
        """Return the next fold, None where every study waits for its folds under way, or may start none."""
        for course in take_turns(self._courses, idle, minimum_trials=self._minimum_trials):
            if self._schedule.may_start(course.study.id) and (job := course.next_job()) is not None:
                return job
        return None

    def _end_searches(self) -> bool:
        """End every search that is not over, so that what follows it may begin; False where all were over."""
        searching = [course for course in self._courses if course.searching]
        for course in searching:
            course.end_search()
        return bool(searching)

    def _give_up_if_hopeless(self) -> None:
        searched = [course for course in self._courses if course.study.kind != "baseline"]
        if any(course.succeeded for course in searched):
            return
        reasons = [reason for course in searched for reason in course.failures]
        if len(reasons) < SUITE_TRIALS or not share_cause(reasons):
            return
        for course in searched:
            if course.searching and not course.cause:
                course.give_up(
                    f"{len(reasons)} trials of the suite failed alike, none succeeded: {reasons[0]}"
                )


def _open_courses(
    studies: Sequence[Study],
    ledger: Ledger,
    open_proposals: Callable[[Study], Proposer],
    search: Search,
    schedule: Schedule,
    find_best: Callable[[Study], int | None],
    on_event: Callable[[Event], None],
) -> list[Course]:
    """Return the studies under way, one for each id: two cells of one content run once."""
    history = ledger.history()
    courses = []
    for study in {study.id: study for study in reversed(studies)}.values():
        records = history.of(study.id)
        baseline = study.kind == "baseline"
        courses.append(
            Course(
                study,
                ledger,
                Single(asked=bool(records)) if baseline else open_proposals(study),
                schedule,
                batch=search.batch,
                prunes=search.pruner != "none" and not baseline,
                known=records,
                find_best=find_best,
                on_event=on_event,
            )
        )
    return courses[::-1]
