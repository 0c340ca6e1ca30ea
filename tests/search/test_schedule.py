from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from harness.plan import Plan
from harness.record.history import History
from harness.record.scores import FoldJob, FoldScore
from harness.search.events import Event, Expected, StudyStopped
from harness.search.schedule import GRACE_S, REPORT_S, Allotment
from harness.spec.models import Search
from harness.spec.options import Confirm
from tests.search.made import make_plan, make_score, make_study, read_tables, run_plan
from tests.search.timed import Timed

FIT_S = 5.0
BASELINE_S = 0.5
SEARCH = Search(trials=1000, startup=1, sampler="random", pruner="none")


def take(job: FoldJob) -> float:
    return BASELINE_S if job.kind == "baseline" else FIT_S


def make_suite(
    tasks: int = 3, *, trials: int = 200, confirm: Confirm | None = None, locked: bool = False
) -> Plan:
    studies = []
    for number in range(tasks):
        name = f"task-{number}"
        studies.append(make_study("majority", task=name))
        for arm in ("depth", "full"):
            study = make_study(arm, task=name, trials=trials)
            studies.append(replace(study, confirm=confirm, locked=locked))
    return make_plan(*studies)


def count_complete(history: History, plan: Plan) -> list[int]:
    return [
        sum(record.state == "complete" for record in history.of(study.id))
        for study in plan.studies
        if study.kind == "arm"
    ]


def test_a_suite_that_ends_early_has_left_no_study_behind(tmp_path: Path) -> None:
    plan, pool = make_suite(), Timed(2, take)
    allotment = Allotment(began_s=1000.0, ends_s=1600.0, cause="it is 07:00")
    outcome, history = run_plan(tmp_path, plan, SEARCH, pool=pool, clock=pool.clock, allotment=allotment)
    assert (outcome.ended, outcome.why) == ("deadline", "it is 07:00")
    assert pool.most_s <= 1600.0 - REPORT_S
    # Two workers have 590 s, a trial has two folds of 5 s: the time was used to the last trial.
    complete = count_complete(history, plan)
    assert sum(complete) >= 2 * (590 - 2 * FIT_S - 1) / (2 * FIT_S) - 2
    assert max(complete) <= 1.5 * min(complete) + 1
    for arms in (complete[:2], complete[2:4], complete[4:]):
        assert abs(arms[0] - arms[1]) <= 1
    assert [job.kind for job in pool.jobs[:6]] == ["baseline"] * 6
    _, trials = read_tables(tmp_path)
    assert {row["state"] for row in trials} <= {"complete", "running"}


def test_what_follows_the_search_has_its_time(tmp_path: Path) -> None:
    confirm = Confirm(top=3, repeats=2)
    plan, pool = make_suite(confirm=confirm), Timed(2, take)
    allotment = Allotment(began_s=1000.0, ends_s=1600.0)
    outcome, history = run_plan(tmp_path, plan, SEARCH, pool=pool, clock=pool.clock, allotment=allotment)
    assert outcome.ended == "deadline"
    for study in plan.studies:
        if study.kind == "arm":
            confirmed = [
                len(record.folds) - len(record.search_folds(1))
                for record in history.of(study.id)
                if len(record.folds) > study.folds
            ]
            assert confirmed == [4, 4, 4]  # two repeats of two folds, for the best three
    assert pool.most_s <= 1600.0 - REPORT_S


def test_a_fit_that_is_slower_than_expected_is_cut_and_fitted_by_the_next_run(tmp_path: Path) -> None:
    plan = make_suite(2, trials=8)

    def slow_down(job: FoldJob) -> float:
        return 400.0 if (job.trial, job.fold, job.arm) == (3, 1, "full") else take(job)

    pool = Timed(2, slow_down)
    allotment = Allotment(began_s=1000.0, ends_s=1120.0)
    search = Search(trials=8, startup=1, sampler="random", pruner="none", batch=2)
    outcome, history = run_plan(tmp_path, plan, search, pool=pool, clock=pool.clock, allotment=allotment)
    assert outcome.ended == "deadline"
    assert pool.most_s <= 1120.0 + GRACE_S
    states = {fold.state for record in history.trials.values() for fold in record.folds}
    assert states == {"ok"}  # what was cut has not failed
    again = Timed(2, take)
    outcome, _ = run_plan(tmp_path, plan, search, pool=again, clock=again.clock)
    assert outcome.ended == "complete"
    run_plan(tmp_path / "whole", plan, search, pool=Timed(2, take))
    assert _scores(tmp_path) == _scores(tmp_path / "whole")
    known = {job.key for job in pool.jobs}
    assert len(known & {job.key for job in again.jobs}) <= 2  # what was cut, one for each worker at most


def _scores(folder: Path) -> list[tuple[object, ...]]:
    folds, _ = read_tables(folder)
    return sorted((row["study"], row["trial"], row["fold"], row["valid_score"]) for row in folds)


def test_a_hung_fit_is_a_failure_and_the_others_go_on(tmp_path: Path) -> None:
    plan = make_suite(1, trials=6)
    pool = Timed(2, lambda job: math.inf if (job.trial, job.arm) == (2, "depth") else take(job))
    outcome, history = run_plan(
        tmp_path, plan, SEARCH, pool=pool, clock=pool.clock, allotment=Allotment(fold_s=40.0)
    )
    assert outcome.ended == "complete"
    failed = [record for record in history.trials.values() if record.state == "failed"]
    assert [(record.trial, record.folds[0].state) for record in failed] == [(2, "timeout")]
    assert "50 s" in failed[0].reason  # ten times what fits of this study take is more than the limit
    assert count_complete(history, plan) == [5, 6]


def test_trials_of_a_suite_are_a_total_over_all_runs(tmp_path: Path) -> None:
    plan = make_suite()
    for trials, ended in ((7, "deadline"), (7, "deadline"), (12, "deadline")):
        pool = Timed(2, take)
        outcome, history = run_plan(
            tmp_path, plan, SEARCH, pool=pool, clock=pool.clock, allotment=Allotment(trials=trials)
        )
        assert outcome.ended == ended
        assert outcome.why.startswith(f"the {trials} trials of budget.trials are spent: raise it")
        complete = count_complete(history, plan)
        assert (sum(complete), max(complete) - min(complete)) == (trials, 1 if trials == 7 else 0)


def test_a_task_that_has_had_its_hours_asks_no_more(tmp_path: Path) -> None:
    plan, search = make_suite(2, trials=10), Search(trials=10, sampler="random", pruner="none")
    pool = Timed(1, lambda job: 10 * take(job) if job.task == "task-1" else take(job))
    outcome, history = run_plan(
        tmp_path, plan, search, pool=pool, clock=pool.clock, allotment=Allotment(task_s=500.0)
    )
    complete = count_complete(history, plan)
    assert complete[:2] == [10, 10]
    assert 5 <= sum(complete[2:]) <= 6  # a trial takes 100 s of the task's 500
    assert outcome.why.startswith("the 0.138889 h of budget.per_task are spent on 'task-1': raise it")


def test_studies_below_the_minimum_come_first(tmp_path: Path) -> None:
    plan = make_suite(4)
    run_plan(tmp_path, plan, SEARCH, pool=Timed(1, take), allotment=Allotment(trials=3))
    pool = Timed(1, take)
    _, history = run_plan(
        tmp_path, plan, SEARCH, pool=pool, allotment=Allotment(trials=8 * 2), minimum_trials=2
    )
    assert count_complete(history, plan) == [2] * 8


def test_benches_are_changed_less_often_the_more_trials_there_are(tmp_path: Path) -> None:
    pool = Timed(1, take)
    run_plan(tmp_path, make_suite(4, trials=40), SEARCH, pool=pool)
    tasks = [job.task for job in pool.jobs if job.kind == "arm"]
    changes = sum(first != second for first, second in pairwise(tasks))
    assert changes <= 50  # trial by trial it would be 4 x 40


def test_a_suite_in_which_nothing_succeeds_stops_and_says_why(tmp_path: Path) -> None:
    def fail(job: FoldJob) -> FoldScore:
        if job.kind == "baseline":
            return make_score(job)
        error = f"loss not finite at step {job.trial} (lr 1e-3)"
        return replace(make_score(job), state="diverged", error=error, valid_score=None, predictions=None)

    told: list[Event] = []
    plan, pool = make_suite(4, trials=50), Timed(2, take, fail)
    outcome, history = run_plan(tmp_path, plan, SEARCH, pool=pool, on_event=told.append)
    assert outcome.ended == "complete"
    cause = "10 trials of the suite failed alike, none succeeded: loss not finite at step 0 (lr 1e-3)"
    assert [why for _, why in outcome.stopped] == [cause] * 8
    assert len([event for event in told if isinstance(event, StudyStopped)]) == 8
    assert len(history.trials) <= 4 + 10 + 2  # what was under way ends
    assert not any(record.state == "pruned" for record in history.trials.values())


def test_one_success_keeps_the_others_going(tmp_path: Path) -> None:
    def fail(job: FoldJob) -> FoldScore:
        if job.kind == "baseline" or (job.task, job.arm) == ("task-3", "full"):
            return make_score(job)
        return replace(make_score(job), state="oom", error="no memory", valid_score=None, predictions=None)

    plan = make_suite(4, trials=8)
    outcome, history = run_plan(tmp_path, plan, SEARCH, pool=Timed(2, take, fail))
    assert [cause for _, cause in outcome.stopped] == ["all 5 trials failed alike: no memory"] * 7
    assert count_complete(history, plan) == [0] * 7 + [8]


def test_the_end_is_foretold(tmp_path: Path) -> None:
    pool = Timed(2, take)
    told: list[tuple[float, float]] = []

    def listen(event: Event) -> None:
        if isinstance(event, Expected):
            told.append((pool.now_s, event.remaining_s))

    run_plan(tmp_path, make_suite(3, trials=20), SEARCH, pool=pool, clock=pool.clock, on_event=listen)
    for now_s, remaining_s in told:
        assert now_s + remaining_s == pytest.approx(pool.now_s, rel=0.02)
    assert len(told) > 10


def test_the_tables_are_rehearsed_once_at_half_time(tmp_path: Path) -> None:
    pool = Timed(2, take)
    at: list[float] = []

    def rehearse() -> None:
        at.append(pool.now_s)
        pool.now_s += 20.0  # so the tables of the end are expected to take a minute

    run_plan(
        tmp_path,
        make_suite(),
        SEARCH,
        pool=pool,
        clock=pool.clock,
        allotment=Allotment(began_s=1000.0, ends_s=1600.0),
        rehearse=rehearse,
    )
    assert len(at) == 1
    assert 1300.0 <= at[0] <= 1300.0 + 2 * FIT_S
    assert 1600.0 - 60.0 - 3 * FIT_S <= pool.most_s <= 1600.0 - 60.0


def test_time_that_ends_while_tables_are_written_leaves_whole_ones_and_the_next_run_goes_on(
    tmp_path: Path,
) -> None:
    plan, pool = make_suite(1, trials=30), Timed(2, take)
    search = Search(trials=30, startup=1, sampler="random", pruner="none", batch=2)
    started: list[int] = []

    def write_slowly() -> None:
        started.append(len(pool.jobs))
        pool.now_s = 1300.0  # the end, at 1200, has passed meanwhile

    allotment = Allotment(began_s=1000.0, ends_s=1200.0, cause="it is 07:00")
    outcome, history = run_plan(
        tmp_path, plan, search, pool=pool, clock=pool.clock, allotment=allotment, rehearse=write_slowly
    )
    assert (outcome.ended, outcome.why) == ("deadline", "it is 07:00")
    assert started == [len(pool.jobs)]  # nothing has started since, and what ran has ended
    folds, trials = read_tables(tmp_path)
    acknowledged = [fold for record in history.trials.values() for fold in record.folds]
    assert len(folds) == len(acknowledged) == len(pool.jobs)
    assert min(count_complete(history, plan)) >= 8
    assert {row["state"] for row in trials} <= {"complete", "running"}
    outcome, _ = run_plan(tmp_path, plan, search, pool=Timed(2, take))
    assert outcome.ended == "complete"
    run_plan(tmp_path / "whole", plan, search, pool=Timed(2, take))
    assert _scores(tmp_path) == _scores(tmp_path / "whole")


def test_time_that_is_over_at_the_start_starts_nothing(tmp_path: Path) -> None:
    pool = Timed(2, take)
    outcome, history = run_plan(
        tmp_path, make_suite(), SEARCH, pool=pool, clock=pool.clock, allotment=Allotment(ends_s=999.0)
    )
    assert (outcome.ended, len(history.trials)) == ("deadline", 0)


def test_a_confirming_fit_that_is_cut_is_left_to_the_next_run(tmp_path: Path) -> None:
    plan = make_suite(1, trials=3, confirm=Confirm(top=1, repeats=2))

    def slow_down(job: FoldJob) -> float:
        return 400.0 if job.repeat == 2 else take(job)

    pool, allotment = Timed(1, slow_down), Allotment(began_s=1000.0, ends_s=1200.0)
    outcome, history = run_plan(tmp_path, plan, SEARCH, pool=pool, clock=pool.clock, allotment=allotment)
    assert (outcome.ended, count_complete(history, plan)) == ("deadline", [3, 3])
    again = Timed(1, take)
    outcome, _ = run_plan(tmp_path, plan, SEARCH, pool=again, clock=again.clock)
    assert outcome.ended == "complete"
    assert all(job.repeat for job in again.jobs)  # nothing of the search is fitted again


def test_a_fit_that_hung_slows_no_forecast_of_others(tmp_path: Path) -> None:
    pool = Timed(2, lambda job: math.inf if (job.trial, job.arm) == (2, "depth") else take(job))
    allotment = Allotment(began_s=1000.0, ends_s=1700.0, fold_s=300.0)
    plan = make_suite(1, trials=25)
    outcome, history = run_plan(tmp_path, plan, SEARCH, pool=pool, clock=pool.clock, allotment=allotment)
    assert outcome.ended == "complete"
    assert count_complete(history, plan) == [24, 25]


def test_the_minimum_is_of_complete_trials(tmp_path: Path) -> None:
    def fail(job: FoldJob) -> FoldScore:
        if job.kind == "arm" and (job.task, job.arm) == ("task-0", "depth") and job.trial < 2:
            return replace(
                make_score(job), state="oom", error=f"no {job.trial}", valid_score=None, predictions=None
            )
        return make_score(job)

    plan = make_suite(2, trials=4)
    pool = Timed(1, take, fail)
    _, history = run_plan(
        tmp_path, plan, SEARCH, pool=pool, allotment=Allotment(trials=4 * 2 + 2), minimum_trials=2
    )
    assert count_complete(history, plan) == [2, 2, 2, 2]


def test_what_was_fitted_before_the_rehearsal_is_in_its_tables(tmp_path: Path) -> None:
    pool, seen = Timed(2, take), []

    def rehearse() -> None:
        acknowledged = (tmp_path / "ledger.jsonl").read_bytes().count(b'"event":"fold"')
        seen.append((acknowledged, pool.answered))

    allotment = Allotment(began_s=1000.0, ends_s=1400.0)
    run_plan(
        tmp_path, make_suite(), SEARCH, pool=pool, clock=pool.clock, allotment=allotment, rehearse=rehearse
    )
    ((acknowledged, answered),) = seen
    assert acknowledged == answered > 0
