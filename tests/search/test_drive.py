from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from harness.errors import StorageError
from harness.record.ledger import LEDGER
from harness.record.scores import FoldJob, FoldScore
from harness.search.events import Event, FoldFinished, FoldStarted, StudyStopped, TrialAsked, TrialEnded
from harness.search.pool import Bench, LocalPool
from harness.spec.models import Search
from tests.search.made import make_plan, make_score, make_space, make_study, read_tables, run_plan

SEARCH = Search(trials=4, startup=1)
PLAN = make_plan(make_study("majority"), make_study("depth"), make_study("full", space=make_space()))


class Kill(BaseException):
    """Ends the loop like a kill, at an event of our choice."""


def kill_at(count: int) -> Callable[[Event], None]:
    """Return a listener that ends the loop at the `count`-th event."""
    seen = iter(range(1, 10_000))

    def listen(event: Event) -> None:
        if next(seen) == count:
            raise Kill

    return listen


class Chaotic:
    """A pool of made-up workers that finish in an order of their own, none before all are busy if it can help it."""

    def __init__(
        self, workers: int, score: Callable[[FoldJob], FoldScore] = make_score, *, order: int = 0
    ) -> None:
        self._free: list[Bench | None] = [None] * workers
        self._jobs: list[FoldJob] = []
        self._score = score
        self._order = order
        self.most = Counter[tuple[str, int]]()

    def idle(self) -> tuple[Bench | None, ...]:
        return tuple(self._free)

    def submit(self, job: FoldJob, limit_s: float | None) -> None:
        bench = (job.task, job.backbone)
        self._free.remove(bench if bench in self._free else self._free[0])
        self._jobs.append(job)
        under_way = Counter((other.study, other.trial) for other in self._jobs)
        self.most |= under_way

    def wait(self, limit_s: float) -> list[tuple[FoldJob, FoldScore]]:
        self._order = (self._order * 7 + 3) % 1009
        job = self._jobs.pop(self._order % len(self._jobs))
        self._free.append((job.task, job.backbone))
        return [(job, self._score(job))]

    def close(self) -> None:
        pass


def test_a_suite_runs_every_fold_once_and_fills_the_tables(tmp_path: Path) -> None:
    outcome, history = run_plan(tmp_path, PLAN, Search(trials=4, pruner="none"))
    assert (outcome.ended, outcome.stopped) == ("complete", ())
    assert len(history.trials) == 9
    folds, trials = read_tables(tmp_path)
    assert len(folds) == len({(row["study"], row["trial"], row["fold"]) for row in folds}) == 2 + 16
    assert [row["state"] for row in trials] == ["complete"] * 9
    assert len(list((tmp_path / "predictions").iterdir())) == 18


def test_one_worker_gives_the_same_tables_twice(tmp_path: Path) -> None:
    for run in ("a", "b"):
        run_plan(tmp_path / run, PLAN, SEARCH)
    assert read_tables(tmp_path / "a") == read_tables(tmp_path / "b")


@pytest.mark.parametrize("batch", [0, 3])
def test_a_ledger_cut_after_any_line_leads_to_the_same_tables(tmp_path: Path, batch: int) -> None:
    search = SEARCH.model_copy(update={"batch": batch})
    run_plan(tmp_path / "whole", PLAN, search)
    lines = (tmp_path / "whole" / LEDGER).read_bytes().splitlines(keepends=True)
    for count in range(len(lines)):
        again = tmp_path / "again"
        shutil.copytree(tmp_path / "whole", again)
        (again / LEDGER).write_bytes(b"".join(lines[:count]))
        run_plan(again, PLAN, search)
        assert read_tables(again) == read_tables(tmp_path / "whole"), f"cut after line {count}"
        shutil.rmtree(again)


@pytest.mark.parametrize("batch", [0, 3])
def test_a_loop_ended_at_any_event_goes_on_to_the_same_tables(tmp_path: Path, batch: int) -> None:
    search = SEARCH.model_copy(update={"batch": batch})
    events: list[Event] = []
    run_plan(tmp_path / "whole", PLAN, search, on_event=events.append)
    for count in range(1, len(events) + 1, 2):
        again = tmp_path / f"again{count}"
        for kill in (count, 5):  # twice: a resumed run may be killed as well
            try:
                run_plan(again, PLAN, search, on_event=kill_at(kill))
            except Kill:
                continue
        run_plan(again, PLAN, search)
        assert read_tables(again) == read_tables(tmp_path / "whole"), f"killed at event {count}"


def test_what_the_ledger_knows_is_not_run_again(tmp_path: Path) -> None:
    run_plan(tmp_path, PLAN, SEARCH)

    def refuse(job: FoldJob) -> FoldScore:
        raise AssertionError(job)

    outcome, history = run_plan(tmp_path, PLAN, SEARCH, score=refuse)
    assert outcome.ended == "complete"
    assert all(fold.state == "ok" for record in history.trials.values() for fold in record.folds)


def test_raising_the_trials_only_adds(tmp_path: Path) -> None:
    run_plan(tmp_path, make_plan(make_study(trials=3)), SEARCH)
    before, _ = read_tables(tmp_path)
    run_plan(tmp_path, make_plan(make_study(trials=5)), SEARCH)
    after, trials = read_tables(tmp_path)
    assert after[: len(before)] == before
    assert len(trials) == 5


def test_a_batch_gives_the_same_tables_whoever_finishes_first(tmp_path: Path) -> None:
    search = Search(trials=6, startup=2, batch=3)
    plan = make_plan(
        make_study("majority"), make_study(trials=6, folds=3), make_study("full", trials=6, folds=3)
    )
    for order, workers in enumerate((1, 2, 2, 4)):
        run_plan(tmp_path / str(order), plan, search, pool=Chaotic(workers, order=order))
    tables = [read_tables(tmp_path / str(order)) for order in range(4)]
    assert tables[0] == tables[1] == tables[2] == tables[3]
    assert any(row["state"] == "pruned" for row in tables[0][1])


def test_pruning_saves_folds_and_keeps_the_best(tmp_path: Path) -> None:
    plan = make_plan(make_study(trials=12, folds=5))
    _, history = run_plan(tmp_path / "median", plan, Search(trials=12, startup=3, sampler="random"))
    _, whole = run_plan(tmp_path / "none", plan, Search(trials=12, pruner="none", sampler="random"))
    states = Counter(record.state for record in history.trials.values())
    assert states["pruned"] >= 2
    assert [record.state for record in history.trials.values()][:3] == ["complete"] * 3
    folds, trials = read_tables(tmp_path / "median")
    _, all_trials = read_tables(tmp_path / "none")
    assert len(folds) < sum(len(record.folds) for record in whole.trials.values())
    best = max(all_trials, key=lambda row: row["mean"])  # type: ignore[arg-type, return-value]  # a number
    assert next(row for row in trials if row["trial"] == best["trial"]) == best
    for row in trials:
        if row["state"] == "pruned":
            assert row["folds"] == row["pruned_at_fold"] + 1  # type: ignore[operator]  # a number


def test_folds_of_a_trial_that_may_be_pruned_run_one_after_the_other(tmp_path: Path) -> None:
    pool = Chaotic(4)
    plan = make_plan(make_study(trials=8, folds=4))
    run_plan(tmp_path, plan, Search(trials=8, startup=2), pool=pool)
    assert set(pool.most.values()) == {1}


def test_folds_run_side_by_side_where_nothing_is_pruned(tmp_path: Path) -> None:
    pool = Chaotic(4)
    plan = make_plan(make_study("majority", folds=4), make_study(trials=3, folds=4))
    _, history = run_plan(tmp_path, plan, Search(trials=3, pruner="none"), pool=pool)
    assert max(pool.most.values()) == 4
    assert all(record.state == "complete" for record in history.trials.values())


def test_baselines_come_first_and_the_others_advance_together(tmp_path: Path) -> None:
    tasks = ("reviews", "news", "mail")
    plan = make_plan(
        *(make_study(arm, task=task, trials=3) for task in tasks for arm in ("majority", "depth", "full"))
    )
    events: list[Event] = []
    run_plan(tmp_path, plan, Search(trials=3, pruner="none"), on_event=events.append)
    jobs = [event.job for event in events if isinstance(event, FoldStarted)]
    assert [job.kind for job in jobs] == ["baseline"] * 6 + ["arm"] * 36
    started = Counter[str]()
    for job in jobs[6:]:
        started[job.study] += 1
        assert max(started.values()) - min(started[study.id] for study in plan.studies if study.space) <= 4
    benches = [job.task for job in jobs]
    switches = sum(a != b for a, b in pairwise(benches))
    assert switches <= 9  # not one for every trial: a bench stays open while fairness allows


def test_two_cells_of_one_content_run_once(tmp_path: Path) -> None:
    plan = make_plan(make_study(), replace(make_study(), arm="twin"))
    jobs: list[FoldJob] = []

    def score(job: FoldJob) -> FoldScore:
        jobs.append(job)
        return make_score(job)

    _, history = run_plan(tmp_path, plan, SEARCH, score=score)
    assert len(history.trials) == 4
    assert len(jobs) == sum(len(record.folds) for record in history.trials.values())
    folds, _ = read_tables(tmp_path)
    assert {row["arm"] for row in folds} == {"depth"}


def test_a_failed_fold_fails_its_trial_and_no_other(tmp_path: Path) -> None:
    def score(job: FoldJob) -> FoldScore:
        if job.trial == 1:
            raise ValueError("no\nsuch\nthing\nat all")
        return make_score(job)

    plan = make_plan(make_study(trials=4, folds=3))
    outcome, history = run_plan(tmp_path, plan, Search(trials=4, pruner="none"), score=score)
    records = [history.trials[key] for key in sorted(history.trials)]
    assert [record.state for record in records] == ["complete", "failed", "complete", "complete"]
    assert records[1].reason == "ValueError: no\nsuch\nthing"
    assert len(records[1].folds) == 1
    assert outcome.stopped == ()


def test_a_study_whose_every_trial_fails_stops_with_the_common_cause(tmp_path: Path) -> None:
    def score(job: FoldJob) -> FoldScore:
        if job.arm != "depth":
            return make_score(job)
        reason = f"loss not finite at step {job.trial * 7} (lr {1e-3 * (job.trial + 1):.1e})"
        return replace(make_score(job), state="diverged", error=reason, valid_score=None, predictions=None)

    plan = make_plan(make_study(trials=9), make_study("full", trials=3))
    events: list[Event] = []
    outcome, history = run_plan(tmp_path, plan, Search(trials=9), score=score, on_event=events.append)
    assert len(history.trials) == 5 + 3
    ((study, cause),) = outcome.stopped
    assert study == plan.studies[0].id
    assert cause == "all 5 trials failed alike: loss not finite at step 0 (lr 1.0e-03)"
    assert [event.study for event in events if isinstance(event, StudyStopped)] == [study]
    again, _ = run_plan(tmp_path, plan, Search(trials=9), score=score)
    assert again == outcome


def test_an_undefined_metric_is_left_out_of_the_mean(tmp_path: Path) -> None:
    def score(job: FoldJob) -> FoldScore:
        undefined = job.fold == 1 or job.trial == 0
        return replace(make_score(job), valid_score=float("nan") if undefined else 0.5 + job.fold)

    _, history = run_plan(tmp_path, make_plan(make_study(trials=2, folds=3)), SEARCH, score=score)
    _, trials = read_tables(tmp_path)
    assert [(row["state"], row["mean"]) for row in trials] == [("failed", None), ("complete", 1.5)]
    assert "'macro-f1' is undefined on every fold" in min(history.trials.items())[1].reason


def test_a_baseline_without_a_defined_metric_has_not_failed(tmp_path: Path) -> None:
    def score(job: FoldJob) -> FoldScore:
        return replace(make_score(job), valid_score=float("nan"))

    _, history = run_plan(tmp_path, make_plan(make_study("majority")), SEARCH, score=score)
    (record,) = history.trials.values()
    assert (record.state, record.reason) == ("complete", "the metric 'macro-f1' is undefined on every fold")


def test_an_infinite_mean_is_a_failure(tmp_path: Path) -> None:
    _, history = run_plan(
        tmp_path,
        make_plan(make_study(trials=1)),
        SEARCH,
        score=lambda job: replace(make_score(job), valid_score=float("inf")),
    )
    assert next(iter(history.trials.values())).state == "failed"


def test_a_stop_finishes_the_folds_under_way(tmp_path: Path) -> None:
    events: list[Event] = []
    outcome, _ = run_plan(
        tmp_path, PLAN, SEARCH, pool=Chaotic(3), on_event=events.append,
        stop=lambda: sum(isinstance(event, FoldFinished) for event in events) >= 4,
    )  # fmt: skip
    assert outcome.ended == "stopped"
    started = sum(isinstance(event, FoldStarted) for event in events)
    assert started == sum(isinstance(event, FoldFinished) for event in events) == 6


def test_events_tell_the_whole_story(tmp_path: Path) -> None:
    events: list[Event] = []
    run_plan(tmp_path, make_plan(make_study(trials=2)), SEARCH, on_event=events.append)
    kinds = Counter(type(event) for event in events)
    assert kinds == {TrialAsked: 2, FoldStarted: 4, FoldFinished: 4, TrialEnded: 2}


def test_a_storage_fault_in_a_fold_ends_the_run(tmp_path: Path) -> None:
    def score(job: FoldJob) -> FoldScore:
        raise StorageError("shelf: disk full")

    with pytest.raises(StorageError, match="disk full"):
        run_plan(tmp_path, PLAN, SEARCH, score=score)


def test_the_scorer_is_opened_once_and_only_when_a_fold_runs(tmp_path: Path) -> None:
    opened: list[int] = []

    def open_scorer() -> Callable[[FoldJob], FoldScore]:
        opened.append(1)
        return make_score

    pool = LocalPool(open_scorer)
    assert (pool.idle(), opened) == ((None,), [])
    run_plan(tmp_path, PLAN, SEARCH, pool=pool)
    run_plan(tmp_path, PLAN, SEARCH, pool=pool)
    assert opened == [1]
