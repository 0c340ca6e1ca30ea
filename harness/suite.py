"""The composition root: a spec becomes a plan, a plan a run, a run a comparison."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.assets.progress import SILENCE, Progress
from harness.errors import EnvironmentFault, HarnessError, StorageError
from harness.judge.comparison import Comparison
from harness.judge.rank import find_best_trial, judge_studies
from harness.limits import count_workers
from harness.locked import has_untested, list_tests, score_tests
from harness.logbook import Logbook
from harness.plan import Plan, Survey, expand, tell_missing
from harness.pools import open_pool
from harness.prospect.room import tell_full
from harness.prospect.timing import hint_fits, read_timings
from harness.record.counts import count_pending
from harness.record.files import claim_run, is_full, write_whole
from harness.record.history import History
from harness.record.ledger import Ledger
from harness.record.lock import Lock, write_lock
from harness.record.log import CLAIMED, forget_run, log_faults, write_log
from harness.record.predictions import open_reader
from harness.record.rows import Rows, write_rows
from harness.runs import RESULTS, open_memory, write_results
from harness.spec.assets import PREFIX
from harness.spec.models import Spec
from harness.supply import bind, fetch_assets, fetch_available, open_source

if TYPE_CHECKING:
    from harness.learn.sources import Source
    from harness.model.layers import Layers
    from harness.record.scores import FoldJob
    from harness.search.drive import Outcome
    from harness.search.events import Event
    from harness.search.schedule import Schedule

    Found = tuple[Source, Survey, dict[str, Rows]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run that ended: its folder, its comparison, and how it ended."""

    folder: Path
    plan: Plan
    comparison: Comparison
    outcome: Outcome
    damage: tuple[str, ...]  # what was wrong with the ledger when it was opened


def run_suite(
    spec: Spec,
    *,
    base: Path = Path(),
    results: Path = RESULTS,
    offline: bool = False,
    text: bytes | None = None,
    reopen_test: bool = False,
    insecure: bool = False,
    skip_missing: bool = False,
    progress: Progress = SILENCE,
    stop: Callable[[], bool] = lambda: False,
    watch: Callable[[Plan], Callable[[Event], None]] = lambda plan: lambda event: None,
) -> Run:
    """Run what a suite's folder under `results` does not hold yet, and compare; the same call resumes.

    `text` is the spec's file as it was given, kept with the run. `reopen_test` scores a winner that later trials made
    on what was locked away, though it was opened for another one before. `insecure` joins a Ray cluster that lets
    anybody in. `skip_missing` leaves out tasks and backbones that cannot be had. `progress` is told what takes time
    before the start, `watch(plan)` returns what is told every event; when `stop()` says so no new fold starts. Every
    fold is durable before anything counts it: kill -9 loses none. Raises `StorageError` if another process has the run.
    """
    began, began_s = datetime.now().astimezone(), time.monotonic()
    folder = results / spec.name
    known = folder.exists()
    # Before anything that takes time: a second process should hear of the first at once.
    with claim_run(folder) as owner, log_faults(folder):
        try:
            write_log(folder, CLAIMED, str(owner))
            find = _find_present if skip_missing else _find_all
            source, survey, rows = find(spec, base=base, offline=offline, progress=progress)
            plan = expand(spec, survey)
        except (HarnessError, KeyboardInterrupt):
            if not known:
                forget_run(folder)
            raise
        write_whole(folder / "spec.yaml", spec.model_dump_json(indent=1).encode() if text is None else text)
        for task, facts in survey.tasks.items():
            write_rows(folder, facts.digest, rows[task])
        write_lock(folder, Lock(spec_json=source.spec_json, base=base, survey=survey))
        with Ledger.open(folder, began_s=began_s) as ledger:
            found = ledger.history()
            ledger.reopen(plan.studies)
            logbook = Logbook(folder, plan, found)
            with (
                _explaining_full(folder, plan, ledger, source.cache),
                _keeping_tables(folder, plan, ledger, spec),
            ):
                outcome = _search(
                    spec,
                    plan,
                    bind(source, survey),
                    folder,
                    ledger,
                    began=began,
                    began_s=began_s,
                    reopen_test=reopen_test,
                    insecure=insecure,
                    stop=stop,
                    on_event=_tell_both(logbook.note, watch(plan)),
                )
                comparison = write_results(folder, plan, ledger.history(), spec)
                logbook.close(outcome.ended, outcome.why)
    return Run(folder=folder, plan=plan, comparison=comparison, outcome=outcome, damage=found.findings)


def _find_all(spec: Spec, *, base: Path, offline: bool, progress: Progress) -> Found:
    """Return what a spec names, all of which must be had."""
    from harness.learn.survey import survey_spec

    source = open_source(spec, base=base, offline=offline, progress=progress)
    rows: dict[str, Rows] = {}
    survey = survey_spec(source, keep=lambda task, examples: rows.update({task: Rows.of(examples)}))
    return source, survey, rows


def _find_present(spec: Spec, *, base: Path, offline: bool, progress: Progress) -> Found:
    """Return what of a spec can be had; of the rest it is said that it is left out."""
    from harness.learn.survey import survey_present

    source = open_source(spec, base=base, offline=offline, progress=progress, fetch=fetch_available)
    rows: dict[str, Rows] = {}
    survey = survey_present(source, keep=lambda task, examples: rows.update({task: Rows.of(examples)}))
    for sentence in tell_missing(survey):
        progress.say(sentence)
    return source, survey, rows


@contextmanager
def _keeping_tables(folder: Path, plan: Plan, ledger: Ledger, spec: Spec) -> Iterator[None]:
    """Write the tables of what there is before a fault of the machine or the cluster ends the run."""
    try:
        yield
    except EnvironmentFault:
        history = ledger.history()
        if history.trials:
            write_results(folder, plan, history, spec)
        raise


@contextmanager
def _explaining_full(folder: Path, plan: Plan, ledger: Ledger, cache: Path) -> Iterator[None]:
    """Say of a disk that is full how much to free, and what frees it."""
    try:
        yield
    except StorageError as fault:
        if not is_full(fault):
            raise
        raise StorageError(tell_full(folder, plan, ledger.history(), cache)) from fault


def _tell_both(first: Callable[[Event], None], second: Callable[[Event], None]) -> Callable[[Event], None]:
    def tell(event: Event) -> None:
        first(event)
        second(event)

    return tell


def _search(
    spec: Spec,
    plan: Plan,
    source: Source,
    folder: Path,
    ledger: Ledger,
    *,
    began: datetime,
    began_s: float,
    reopen_test: bool,
    insecure: bool,
    stop: Callable[[], bool],
    on_event: Callable[[Event], None],
) -> Outcome:
    """Drive every study to its end in a pool of workers, then take the scores on what was locked away."""
    from harness.search.drive import drive
    from harness.search.events import PoolOpened
    from harness.search.proposals import Proposals

    before = ledger.history()
    pending = sum(count_pending(study, before) for study in plan.studies)
    workers = count_workers(spec.compute, pending)
    schedule = _open_schedule(
        spec, plan, source, folder, ledger, workers=workers, began=began, began_s=began_s
    )
    pool = open_pool(spec.compute, source, pending, insecure=insecure, on_event=on_event)
    try:
        on_event(PoolOpened())
        outcome = drive(
            plan.studies,
            ledger=ledger,
            open_proposals=lambda study: Proposals.open(folder, study, spec.search, before),
            pool=pool,
            search=spec.search,
            schedule=schedule,
            minimum_trials=spec.budget.minimum_trials,
            find_best=lambda study: find_best_trial(
                plan,
                study,
                ledger.history(),
                spec,
                read=open_reader(folder),
                memory=open_memory(folder),
            ),
            stop=stop,
            on_event=on_event,
        )
        if outcome.ended == "stopped":
            return outcome
        jobs = _list_tests(spec, plan, folder, ledger.history(), reopen=reopen_test)
        tested = score_tests(jobs, ledger=ledger, pool=pool, schedule=schedule, stop=stop, on_event=on_event)
    finally:
        pool.close()
    if tested or outcome.ended != "complete":
        return outcome
    if stop():
        return replace(outcome, ended="stopped")
    return replace(outcome, ended="deadline", why=schedule.tell_end())


def _open_schedule(
    spec: Spec,
    plan: Plan,
    source: Source,
    folder: Path,
    ledger: Ledger,
    *,
    workers: int,
    began: datetime,
    began_s: float,
) -> Schedule:
    """Return what says which fits may start, by the spec's budget and by the seconds that an earlier plan timed."""
    from harness.search.allotment import allot
    from harness.search.schedule import Schedule

    return Schedule(
        plan.studies,
        ledger.history,
        allot(spec.budget, began=began, began_s=began_s, spent_s=ledger.history().spent_s),
        clock=time.monotonic,
        hints=hint_fits(plan, read_timings(plan, spec, source.cache)),
        workers=workers,
        rehearse=lambda: write_results(folder, plan, ledger.history(), spec),
    )


def _list_tests(spec: Spec, plan: Plan, folder: Path, history: History, *, reopen: bool) -> list[FoldJob]:
    """Return the fits whose scores on what was locked away are to be taken; where there are none nothing is judged."""
    if not (reopen or has_untested(plan, history)):
        return []
    cells = judge_studies(plan, history, spec, read=open_reader(folder), memory=open_memory(folder))
    return list_tests(plan, cells, history, reopen=reopen)


def inspect_layers(model: str, *, offline: bool = False, progress: Progress = SILENCE) -> Layers:
    """Return the parts of a checkpoint, given as `asset:NAME`, a folder or a hub id.

    An asset is fetched, unless `offline`; `progress` is told its size and source before.
    """
    from harness.learn.sources import locate_checkpoint
    from harness.learn.survey import find_head
    from harness.model.layers import describe_layers

    if model.startswith(PREFIX):
        fetch_assets([model.removeprefix(PREFIX)], offline=offline, progress=progress)
    folder = locate_checkpoint(model, None, base=Path(), offline=offline)
    return describe_layers(folder, find_head(folder)[1])
