"""Hours: how long a suite is expected to take, and between which ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.candidate import list_depths
from harness.plan import Plan, Study
from harness.prospect.timing import Timing, Timings, find_ends
from harness.record.counts import count_following
from harness.record.history import History
from harness.search.pool import Bench
from harness.spec.models import Search

DRAWS = 400
ENOUGH = 3  # fits of a study itself, which then say more than any timing
START_S = 8.0  # until Ray's workers have imported torch
# What a fit takes beside others, of what it took alone: two workers share memory and its bandwidth.
LOAD = (0.9, 1.3)
PRUNED = 0.5  # at most: of trials that are alike, half are below the median


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """The seconds that what is left of a suite takes, in the mean and in nine of ten cases at either end.

    The band is made of depths and epochs drawn at random, of none to half of the trials pruned after a fold, and of
    fits that take 0.9 to 1.3 of what one took alone. It knows nothing of what else the machine will do.
    """

    expected_s: float
    low_s: float
    high_s: float
    start_s: float  # of them before the first trial: workers start, open their tasks, fill the shelf
    trials: int  # that are still to be asked

    def share_in(self, limit_s: float) -> float:
        """Return the share of these trials that is expected to be done in so many seconds."""
        if self.expected_s <= limit_s:
            return 1.0
        return max(0.0, (limit_s - self.start_s) / (self.expected_s - self.start_s))


def expect_hours(
    plan: Plan, history: History, search: Search, timings: Timings, *, workers: int
) -> Hours | None:
    """Return how long what is left takes on so many workers; None where a study was neither timed nor begun."""
    draw = np.random.default_rng(np.random.SeedSequence(0))
    left = _list_left(plan, history)
    work_s, start_s = np.zeros(DRAWS), 0.0
    for study in left:
        timing = timings.get((study.task, study.backbone))
        if timing is None and not _is_known(study, history):
            return None
        work_s += _draw_work(study, history, search, timing, draw)
    for bench in {(study.task, study.backbone) for study in left} & timings.keys():
        start_s += timings[bench].open_s + timings[bench].fill_s
    start_s += START_S if left and workers > 1 else 0.0
    total_s = start_s + work_s * draw.uniform(*LOAD, DRAWS) / workers
    low_s, high_s = np.quantile(total_s, (0.1, 0.9))
    return Hours(
        expected_s=float(total_s.mean()),
        low_s=float(low_s),
        high_s=float(high_s),
        start_s=start_s,
        trials=sum(_count_trials(study, history) for study in left if study.kind != "baseline"),
    )


def list_untold(plan: Plan, history: History) -> list[Bench]:
    """Return the tasks and backbones that something is left of, which its own fits do not tell the seconds of."""
    untold = [study for study in _list_left(plan, history) if not _is_known(study, history)]
    return list(dict.fromkeys((study.task, study.backbone) for study in untold))


def _list_left(plan: Plan, history: History) -> list[Study]:
    studies = {study.id: study for study in plan.studies}.values()
    return [study for study in studies if _count_trials(study, history) or count_following(study, history)]


def _count_trials(study: Study, history: History) -> int:
    ended = sum(record.state != "running" for record in history.of(study.id))
    return max(0, study.trials - ended)


def _list_known(study: Study, history: History) -> list[float]:
    """Return the seconds of a study's own fits on whole training parts."""
    return [fold.fit_s for record in history.of(study.id) for fold in record.folds if fold.state == "ok"]


def _is_known(study: Study, history: History) -> bool:
    return len(_list_known(study, history)) >= ENOUGH


def _draw_work(
    study: Study, history: History, search: Search, timing: Timing | None, draw: np.random.Generator
) -> np.ndarray:
    """Return the seconds that a study still fits for, (draws,)."""
    trials, folds = _count_trials(study, history), study.repeats * study.folds
    # What follows is fitted for the best trials, which are drawn as any other.
    follow = count_following(study, history)
    fit_s = _draw_fits(study, history, timing, trials + follow, draw)
    kept = np.full((DRAWS, trials), float(folds))
    if study.kind != "baseline" and search.pruner != "none":
        pruned = draw.random((DRAWS, trials)) < draw.uniform(0, PRUNED, DRAWS)[:, None]
        done = study.trials - trials
        pruned[:, : max(0, search.startup - done)] = False
        kept[pruned] = 1.0
    work: np.ndarray = (fit_s[:, :trials] * kept).sum(axis=1) + fit_s[:, trials:].sum(axis=1)
    return work


def _draw_fits(
    study: Study, history: History, timing: Timing | None, trials: int, draw: np.random.Generator
) -> np.ndarray:
    """Return the seconds of one fit of each trial, (draws, trials): like its own, else as it was timed."""
    if _is_known(study, history):
        return draw.choice(_list_known(study, history), (DRAWS, trials))
    assert timing is not None
    if study.space is None:
        return np.full((DRAWS, trials), dict(timing.baselines).get(study.arm, 0.0))
    values = dict(study.space.values)
    depths = draw.choice(list_depths(values["freeze_depth"]), (DRAWS, trials))
    epochs = draw.uniform(*find_ends(values["epochs"]), (DRAWS, trials))
    if study.space.patience is not None:  # the epochs are chosen by a first fit, and trained by a second
        epochs *= 2 * draw.uniform(1 / np.maximum(epochs, 1.0), 1.0)
    seconds = np.vectorize(timing.fit_s, otypes=[float])(depths, epochs)
    return np.asarray(seconds).reshape(DRAWS, trials)
