"""Prospect: what a suite would take, and what of it a run has already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.assets.progress import SILENCE, Progress
from harness.judge.detectable import DISCORDANCE, Detectable, find_detectable
from harness.limits import count_workers
from harness.machine import Machine, read_machine
from harness.plan import Plan, expand
from harness.prospect.hours import Hours, expect_hours, list_untold
from harness.prospect.reuse import Reuse, find_reuse
from harness.prospect.room import Need, Room, measure_room, refuse_backbones
from harness.prospect.timing import Timings, find_largest, read_timings, time_bench
from harness.record.counts import count_fits, count_pending
from harness.record.history import History
from harness.record.ledger import read_history
from harness.record.rows import Rows
from harness.report.numbers import show_bytes
from harness.runs import RESULTS
from harness.search.allotment import allot
from harness.search.pool import Bench
from harness.spec.models import Budget, Spec
from harness.supply import bind, open_source

if TYPE_CHECKING:
    from harness.learn.sources import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """A plan with what of it is done already, fits by study id, and with what the rest takes."""

    plan: Plan
    known: dict[str, int]
    reuse: Reuse | None  # None: there is no run yet
    workers: int
    hours: Hours | None  # None: something was neither timed nor begun
    limit_s: float | None  # what is given, or left of the spec's budget; None: no end
    timings: Timings
    untimed: tuple[str, ...]  # what could not be timed, and why
    room: Room
    detectable: tuple[Detectable, ...]


def plan_suite(
    spec: Spec,
    *,
    base: Path = Path(),
    results: Path = RESULTS,
    offline: bool = False,
    discordance: float = DISCORDANCE,
    time_fits: bool = True,
    hours: float | None = None,
    progress: Progress = SILENCE,
) -> Prospect:
    """Return the cells of a suite, which of their fits a run's ledger knows already, and what the others take.

    A task that is not timed yet on one of its backbones is: a fit of one epoch, which loads torch and may take
    minutes, and is remembered; with `time_fits` False only what is remembered counts. `hours` replaces the spec's
    budget. `discordance` is the share of examples that two arms are assumed to decide differently where no pilot tells.
    `base` is the folder that relative paths of the spec start from. Assets that the spec names are fetched, unless
    `offline`: raises `AssetError`, `DataError` or `ModelError` for what is missing or cannot be used, and
    `EnvironmentFault` where one fit is more than the memory here.
    """
    source = open_source(spec, base=base, offline=offline, progress=progress)
    plan, rows = _survey(spec, source)
    folder = results / spec.name
    history = read_history(folder) if (folder / "ledger.jsonl").exists() else History(trials={})
    workers = count_workers(spec.compute, sum(count_pending(study, history) for study in plan.studies))
    machine, parameters = read_machine(), _count_parameters(spec, source)
    known = read_timings(plan, spec, source.cache)
    wanted = [bench for bench in list_untold(plan, history) if bench not in known] if time_fits else []
    vast = [] if spec.compute.gpus_per_worker else list(refuse_backbones(plan, parameters, machine))
    refused = [told for bench in wanted if not vast and (told := refuse_large(plan, source, bench, machine))]
    timings, untimed = _time_fits(plan, spec, source, [] if vast or refused else wanted, known, progress)
    if (
        spec.compute.address != "local" and wanted
    ):  # a node may have the memory, and this machine cannot time it
        untimed = (*untimed, *vast, *refused)
    return Prospect(
        plan=plan,
        known={study.id: count_fits(study, history) for study in plan.studies},
        reuse=find_reuse(folder, plan, history, spec, rows),
        workers=workers,
        hours=expect_hours(plan, history, spec.search, timings, workers=workers),
        limit_s=_find_limit(spec.budget if hours is None else Budget(hours=hours), history),
        timings=timings,
        untimed=untimed,
        room=measure_room(
            Need(
                plan=plan,
                history=history,
                timings=timings,
                parameters=parameters,
                workers=workers,
                refused=tuple(refused),
            ),
            spec.compute,
            machine=machine,
            results=folder,
            cache=source.cache,
        ),
        detectable=find_detectable(plan, history, spec, discordance=discordance),
    )


def _survey(spec: Spec, source: Source) -> tuple[Plan, dict[str, Rows]]:
    """Return the plan, and the rows of each task's data as they are today."""
    from harness.learn.survey import survey_spec

    rows: dict[str, Rows] = {}
    survey = survey_spec(source, keep=lambda task, examples: rows.update({task: Rows.of(examples)}))
    return expand(spec, survey), rows


def _count_parameters(spec: Spec, source: Source) -> dict[str, int]:
    """Return how many numbers each backbone's weight files hold; the survey has fetched them all."""
    from harness.learn.sources import find_checkpoint
    from harness.model.checkpoint import count_stored

    folders = {name: find_checkpoint(spec, name, base=source.base, offline=True) for name in spec.backbones}
    return {name: count_stored(folder) for name, folder in folders.items()}


def refuse_large(plan: Plan, source: Source, bench: Bench, machine: Machine) -> str:
    """Return in words that a fit is more than the machine even with one example at a time; "" where it is not.

    Reckoned before it is tried: what does not fit is killed, and a plan with it.
    """
    from harness.learn.footprint import choose_largest, estimate_memory

    if source.spec().compute.gpus_per_worker:  # its memory is not this machine's
        return ""
    footprint = estimate_memory(source, *bench, choose_largest(find_largest(plan, bench)))
    if footprint.least <= machine.whole_bytes:
        return ""
    needed, whole = show_bytes(footprint.least), show_bytes(machine.whole_bytes)
    return (
        f"{' · '.join(bench)}: a fit takes {needed} with one example at a time, and this machine gives {whole}: use a "
        "smaller backbone, shorter inputs or a larger machine"
    )


def _time_fits(
    plan: Plan,
    spec: Spec,
    source: Source,
    wanted: Sequence[Bench],
    known: Timings,
    progress: Progress,
) -> tuple[Timings, tuple[str, ...]]:
    """Return the timings with those added that were missing, and why some could not be had."""
    if not wanted:
        return known, ()
    from harness.learn.work import open_scorer

    score = open_scorer(bind(source, plan.survey), spec.compute.threads)
    timings, untimed = dict(known), []
    for number, bench in enumerate(wanted, start=1):
        progress.say(f"timing one fit of {' on '.join(bench)} ({number} of {len(wanted)}); it is remembered")
        found = time_bench(plan, spec, bench, source.cache, score=score)
        if isinstance(found, str):
            untimed.append(found)
        else:
            timings[bench] = found
    return timings, tuple(untimed)


def _find_limit(budget: Budget, history: History) -> float | None:
    """Return the seconds that a run which begins now may take."""
    left = allot(budget, began=datetime.now().astimezone(), began_s=0.0, spent_s=history.spent_s)
    return left.ends_s
