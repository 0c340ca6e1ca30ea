"""Room: the disk and the memory that a suite needs, against what this machine has."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness.cache import measure_shelf, sum_shelf
from harness.candidate import list_depths
from harness.machine import Machine
from harness.plan import Plan
from harness.prospect.timing import Timings
from harness.record.counts import count_pending
from harness.record.files import find_parent
from harness.record.history import History
from harness.report.numbers import show_bytes
from harness.spec.models import Compute

GIB = 2**30
FILE_BYTES = 4_500  # of a file of predictions without its rows, as Parquet has it
ROW_BYTES = 60  # of a row of it, without its probabilities: ids and targets barely compress
FIT_BYTES = 2_500  # of a fit in the ledger, the journal and the tables: 1.1, 0.7 and 0.6 kB were seen
REPORT_BYTES = 5_000_000  # tables, page and figures
IMPORT_BYTES = 700_000_000  # torch, transformers and scikit-learn in a process that has fitted something
WEIGHT_BYTES = 2 * 4  # in float32, twice: those that every fit starts from stay beside
TRAINED_BYTES = 3 * 4  # a gradient and AdamW's two moments, of a weight that trains


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a suite needs and what there is, in bytes; `refusals` are what cannot fit, in words."""

    results_bytes: int
    shelf_bytes: int  # that the shelf will grow by
    free_bytes: int  # where the results lie
    worker_bytes: int  # of memory, for one worker
    measured: bool  # whether a worker's memory was measured
    memory_bytes: int  # free for workers
    elsewhere: bool = False  # on a cluster, whose nodes' memory nobody has asked
    refusals: tuple[str, ...] = ()


def estimate_fit_bytes(parameters: int, trained: int) -> int:
    """Return the memory of a process that trains so many of a network's parameters, without its activations."""
    return IMPORT_BYTES + WEIGHT_BYTES * parameters + TRAINED_BYTES * trained


def estimate_fits(plan: Plan, parameters: Mapping[str, int]) -> dict[str, int]:
    """Return the memory of each backbone's largest fit, of the arm that trains the most blocks of it."""
    least: dict[str, int] = {}
    for study in plan.studies:
        if study.space is not None:
            depth = min(list_depths(dict(study.space.values)["freeze_depth"]))
            least[study.backbone] = min(depth, least.get(study.backbone, depth))
    estimates = {}
    for name, count in parameters.items():
        blocks = plan.survey.backbones[name].blocks
        trained = max(0, blocks - least.get(name, blocks)) / blocks
        estimates[name] = estimate_fit_bytes(count, round(trained * count))
    return estimates


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What room is measured for: the fits that are left of a plan, on so many workers."""

    plan: Plan
    history: History
    timings: Timings
    parameters: Mapping[str, int]  # of each backbone, by name
    workers: int
    refused: tuple[str, ...] = ()  # what was found before, in words


def measure_room(need: Need, compute: Compute, *, machine: Machine, results: Path, cache: Path) -> Room:
    """Return what the fits that are left take of disk and memory, and what of it cannot be had."""
    results_bytes = count_results(need.plan, need.history)
    wanted = sum(timing.shelf_bytes for timing in need.timings.values())
    shelf_bytes = max(0, min(compute.shelf_bytes, wanted) - sum_shelf(cache))
    measured = max((timing.peak_bytes for timing in need.timings.values()), default=0)
    guessed = max(estimate_fits(need.plan, need.parameters).values(), default=IMPORT_BYTES)
    room = Room(
        results_bytes=results_bytes,
        shelf_bytes=shelf_bytes,
        free_bytes=shutil.disk_usage(find_parent(results)).free,
        worker_bytes=measured or guessed,
        measured=bool(measured),
        memory_bytes=machine.free_bytes,
        elsewhere=compute.address != "local",
    )
    faults = [
        *([] if room.elsewhere else _refuse_memory(need, compute, room, machine)),
        *_refuse_disk(room, results, cache),
    ]
    return replace(room, refusals=tuple(faults))


def _refuse_memory(need: Need, compute: Compute, room: Room, machine: Machine) -> Iterator[str]:
    yield from need.refused
    if not compute.gpus_per_worker:  # whose memory is not this machine's
        yield from refuse_backbones(need.plan, need.parameters, machine)
    yield from _refuse_workers(room, need.workers)


def refuse_backbones(plan: Plan, parameters: Mapping[str, int], machine: Machine) -> Iterator[str]:
    """Yield each backbone of which one fit is more than the whole machine, before anything tries."""
    whole = machine.whole_bytes
    for name, needed in estimate_fits(plan, parameters).items():
        if needed > whole:
            yield (
                f"backbones.{name}: tuning its {parameters[name] / 1e6:.0f} M parameters takes {needed / GIB:.1f} "
                f"GiB before the first example, and this machine gives {whole / GIB:.1f}: use a smaller backbone "
                "or a larger machine"
            )


def _refuse_workers(room: Room, workers: int) -> Iterator[str]:
    needed = workers * room.worker_bytes
    if workers > 1 and needed > room.memory_bytes:
        fitting = max(1, room.memory_bytes // room.worker_bytes)
        yield (
            f"{workers} workers of {room.worker_bytes / GIB:.1f} GiB are more than the "
            f"{room.memory_bytes / GIB:.1f} GiB that are free: {fitting} would fit (--workers {fitting})"
        )


def _refuse_disk(room: Room, results: Path, cache: Path) -> Iterator[str]:
    there, beside = find_parent(results), find_parent(cache)
    shared = there.stat().st_dev == beside.stat().st_dev
    needed = room.results_bytes + (room.shelf_bytes if shared else 0)
    remedy = "free space (`harness clean --shelf` gives back cached activations), or give another folder"
    if needed > room.free_bytes:
        yield f"{results}: needs {needed / 1e9:.1f} GB, and {room.free_bytes / 1e9:.1f} GB are free: {remedy}"
    left = shutil.disk_usage(beside).free
    if not shared and room.shelf_bytes > left:
        yield (
            f"{cache}: the shelf grows by {room.shelf_bytes / 1e9:.1f} GB, and {left / 1e9:.1f} GB are free: lower "
            f"compute.shelf_bytes, or {remedy}"
        )


def count_results(plan: Plan, history: History) -> int:
    """Return about how many bytes a run's folder still grows by; what is done lies there already."""
    total, fits = 0, 0
    for study in {study.id: study for study in plan.studies}.values():
        facts = plan.survey.tasks[study.task]
        pending = count_pending(study, history)
        rows = facts.examples / study.folds  # of one fold
        total += round(pending * (FILE_BYTES + rows * (ROW_BYTES + 4 * len(facts.labels))))
        fits += pending
    return total + fits * FIT_BYTES + (REPORT_BYTES if fits else 0)


def tell_full(folder: Path, plan: Plan, history: History, cache: Path) -> str:
    """Return what a run says whose disk is full: what is safe, how much to free, and what frees it."""
    folds = sum(len(record.folds) + len(record.reduced) for record in history.trials.values())
    left, place = min((shutil.disk_usage(find_parent(each)).free, each) for each in (folder, cache))
    shelf = measure_shelf(cache).free_bytes
    freed = f" (`harness clean --shelf` frees {show_bytes(shelf)})" if shelf else ""
    return (
        f"disk full: {show_bytes(left)} left in {place}. Stopped cleanly; {folds:,} folds are safe. Free about "
        f"{show_bytes(count_results(plan, history))}{freed} and run the same command again."
    )
