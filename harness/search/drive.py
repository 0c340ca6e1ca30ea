"""The loop that brings every study of a suite to its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.plan import Study
from harness.record.ledger import Ledger
from harness.record.scores import FoldJob
from harness.search.course import Course, Proposer, Single
from harness.search.events import Event, FoldStarted
from harness.search.pool import Bench, Pool
from harness.spec.models import Search

WAIT_S = 0.5  # how often the loop looks whether it should stop while all workers are busy


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Why the loop ended, and which studies stopped before their trials were spent, by id with the cause."""

    ended: Literal["complete", "deadline", "stopped"]
    stopped: tuple[tuple[str, str], ...]


def drive(
    studies: Sequence[Study],
    *,
    ledger: Ledger,
    open_proposals: Callable[[Study], Proposer],
    pool: Pool,
    search: Search,
    clock: Callable[[], float],
    deadline_s: float | None = None,
    find_best: Callable[[Study], int | None] = lambda study: None,
    stop: Callable[[], bool] = lambda: False,
    on_event: Callable[[Event], None] = lambda event: None,
) -> Outcome:
    """Run what the ledger does not know yet of the studies, the baselines first, the others in fair rotation.

    The same call resumes: what is in the ledger is never run again, and a study with more trials than before gets
    those added. `find_best` names the trial of a searched study that its learning curve is of, None for no curve.
    `deadline_s` is a moment on `clock` after which no new fold starts (None: no such moment); when
    `stop` says so none starts either. Running folds are waited for in both cases.
    """
    courses = _open_courses(studies, ledger, open_proposals, search, find_best, on_event)
    by_study = {course.study.id: course for course in courses}
    ended: Literal["complete", "deadline", "stopped"] = "complete"
    in_flight = 0

    def see_end() -> Literal["complete", "deadline", "stopped"]:
        if stop():
            return "stopped"
        return "deadline" if deadline_s is not None and clock() >= deadline_s else "complete"

    while True:
        while ended == "complete" and (idle := pool.idle()):
            if (ended := see_end()) != "complete" or (job := _choose(courses, idle)) is None:
                break
            pool.submit(job, None)
            in_flight += 1
            on_event(FoldStarted(job=job))
        if not in_flight and (ended != "complete" or pool.idle() or (ended := see_end()) != "complete"):
            break  # else no worker is there yet, and one is waited for
        for job, score in pool.wait(WAIT_S):
            in_flight -= 1
            by_study[job.study].take(job, score)
    if all(course.done for course in courses):
        ended = "complete"  # the last fold came in while the time ran out
    return Outcome(ended=ended, stopped=tuple((c.study.id, c.cause) for c in courses if c.cause))


def _open_courses(
    studies: Sequence[Study],
    ledger: Ledger,
    open_proposals: Callable[[Study], Proposer],
    search: Search,
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
                batch=search.batch,
                prunes=search.pruner != "none" and not baseline,
                known=records,
                find_best=find_best,
                on_event=on_event,
            )
        )
    return courses[::-1]


def _choose(courses: Sequence[Course], idle: Sequence[Bench | None]) -> FoldJob | None:
    """Return the next fold, None where every study waits for its folds under way or is done.

    No study may be a whole trial further than the one that is furthest behind; among those that may go on, one whose
    bench an idle worker has open is preferred, for a bench is expensive to open.
    """
    open_courses = [course for course in courses if not course.done]
    baselines = [course for course in open_courses if course.study.kind == "baseline"]
    for group in (baselines, [course for course in open_courses if course.study.kind != "baseline"]):
        for course in _in_turn(group, idle):
            if (job := course.next_job()) is not None:
                return job
    return None


def _in_turn(courses: Sequence[Course], idle: Sequence[Bench | None]) -> list[Course]:
    least = min((course.progress for course in courses), default=0.0)

    def rank(course: Course) -> tuple[bool, bool, float]:
        study = course.study
        ahead = course.progress - least > 1 / study.trials - 1e-9
        return (ahead, (study.task, study.backbone) not in idle, course.progress)

    return sorted(courses, key=rank)
