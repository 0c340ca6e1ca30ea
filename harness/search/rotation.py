"""Rotation: which study's turn it is, so that a night that ends early has left none behind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from harness.search.course import Course
from harness.search.hopeless import TRIALS
from harness.search.pool import Bench

AHEAD = 0.5  # of its trials, that a task and backbone may be ahead of the one furthest behind


def take_turns(
    courses: Sequence[Course], idle: Sequence[Bench | None], *, minimum_trials: int
) -> list[Course]:
    """Return the studies that are not done in the order in which they may start a fold.

    Baselines come first, then studies with fewer than `minimum_trials`, then those of which fewer are complete. What a
    further trial tells falls with the number of those before it, and changing the bench of a worker costs seconds: so
    all arms of a bench go trial by trial, while a bench that an idle worker has open may be half as many trials again
    ahead of the others.
    """
    open_courses = [course for course in courses if not course.done]
    least = min((course.progress for course in open_courses if _is_searched(course)), default=0.0)
    behind: defaultdict[Bench, float] = defaultdict(lambda: float("inf"))
    for course in filter(_is_searched, open_courses):
        behind[_bench(course)] = min(behind[_bench(course)], course.progress)

    def rank(course: Course) -> tuple[bool, int, bool, bool, float]:
        bench = _bench(course)
        return (
            _is_searched(course),
            _find_standing(course, min(minimum_trials, course.study.trials)),
            behind[bench] - least > max(1.0, AHEAD * least) - 1e-9,
            bench not in idle,
            course.progress,
        )

    return sorted(open_courses, key=rank)


def _find_standing(course: Course, wanted: int) -> int:
    """Return 0 for a study that lacks trials, 1 for one of which too few are complete, 2 for one that has enough."""
    if course.progress < wanted:
        return 0
    # One whose trials fail or are pruned again and again must not have the whole night.
    return 1 if course.promising < wanted and course.progress < wanted + TRIALS else 2


def _is_searched(course: Course) -> bool:
    return course.study.kind != "baseline"


def _bench(course: Course) -> Bench:
    return course.study.task, course.study.backbone
