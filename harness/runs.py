"""Runs: what a folder of results holds, read again: found, ranked, reported, compared, exported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.assets.progress import SILENCE, Progress
from harness.errors import Fault, SpecError
from harness.importance import add_importances, keep_importances, weigh_arms
from harness.judge.compare import TOLERANCE, Changes, find_changes
from harness.judge.comparison import Comparison
from harness.judge.memory import Memory
from harness.judge.rank import compare_arms
from harness.judge.winner import choose_cell
from harness.plan import Plan, drop_missing, expand
from harness.record.folders import read_spec
from harness.record.history import History
from harness.record.importance import read_importances
from harness.record.incumbents import trace_incumbents
from harness.record.ledger import read_history
from harness.record.lock import LOCK, read_lock, read_provenance
from harness.record.predictions import open_reader
from harness.record.remembered import read_remembered, write_remembered
from harness.record.tables import write_tables
from harness.report.write import write_report
from harness.spec.check import list_paths
from harness.spec.models import Spec
from harness.spec.paths import resolve_path
from harness.spec.words import dotted
from harness.supply import bind, open_source

if TYPE_CHECKING:
    from harness.deploy.export import Exported

RESULTS = Path("results")


def rank_run(folder: Path) -> Comparison:
    """Return the comparison of a run from its lock and ledger alone: neither data nor weights are needed."""
    lock = read_lock(folder)
    spec = read_spec(folder, lock)
    plan, history = expand(spec, lock.survey), read_history(folder)
    comparison = compare_arms(plan, history, spec, read=open_reader(folder), memory=open_memory(folder))
    return add_importances(comparison, plan, weigh_arms(plan, history, read_importances(folder)))


def report_run(folder: Path) -> Comparison:
    """Write a run's tables again from its lock and ledger, and return their comparison."""
    lock = read_lock(folder)
    spec = read_spec(folder, lock)
    return write_results(folder, expand(spec, lock.survey), read_history(folder), spec)


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
    allowed: Sequence[Path] = (),
    offline: bool = True,
    progress: Progress = SILENCE,
) -> Exported:
    """Refit a task's winner, or the best of one arm, on all rows and write a deployable folder.

    A run may be anybody's: what it names is read from below the working directory and the folders `allowed` only.
    Raises `SpecError` for other paths, and for a task or an arm that the run does not have, `StorageError` if `out`
    is not empty.
    """
    lock = read_lock(folder)
    spec = read_spec(folder, lock)
    _refuse_far_paths(folder, spec, lock.base, allowed)
    source = open_source(drop_missing(spec, lock.survey), base=lock.base, offline=offline, progress=progress)
    # Not before: it imports a hub's library, which must know of offline.
    from harness.deploy.export import export_model as export
    from harness.deploy.refit import Winner

    history = read_history(folder)
    comparison = compare_arms(
        expand(spec, lock.survey), history, spec, read=open_reader(folder), memory=open_memory(folder)
    )
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
    return export(bind(source, lock.survey), winner, out)


def _refuse_far_paths(folder: Path, spec: Spec, base: Path, allowed: Sequence[Path]) -> None:
    faults = []
    for key, text in list_paths(spec, base=base):
        try:
            resolve_path(
                text, base=base, roots=(Path.cwd(), *allowed), key=dotted(key), home="the working directory"
            )
        except SpecError as error:
            faults.append(Fault(file=str(folder / LOCK), message=str(error)))
    if faults:
        raise SpecError(faults)


def write_results(folder: Path, plan: Plan, history: History, spec: Spec) -> Comparison:
    """Write a run's tables and its report, and return the comparison that they show."""
    write_tables(folder, plan, history)
    memory = open_memory(folder)
    comparison = compare_arms(plan, history, spec, read=open_reader(folder), memory=memory)
    keep_memory(folder, memory)
    comparison = add_importances(comparison, plan, keep_importances(folder, plan, history))
    write_report(
        folder,
        comparison,
        provenance=read_provenance(folder),
        incumbents=trace_incumbents(plan, history),
    )
    return comparison


def open_memory(folder: Path) -> Memory:
    """Return what judging a run remembers of the last time."""
    return Memory(read_remembered(folder), has=open_reader(folder).has)


def keep_memory(folder: Path, memory: Memory) -> None:
    """Keep in a run's folder what its judgement used, where that is not what lies there."""
    if memory.has_changed:
        write_remembered(folder, memory.used)
