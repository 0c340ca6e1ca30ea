"""What `plan` answers, as text for a person and as a document for a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from harness.report.layout import lay_out, shorten, wrap
from harness.report.numbers import count_noun, show_bytes, show_span

if TYPE_CHECKING:
    from harness.plan import Plan, Study
    from harness.prospect import Prospect
    from harness.prospect.reuse import Reuse
    from harness.prospect.room import Room

FIGURES_WIDTH = 24  # trials, fits and known, in the table of a plan
BUSY = 1.5  # times the processor time: other work takes a third of the cores
TIMED = "timed on one fit of each task"
BAND = "the band: depths and epochs at random, up to half of the trials pruned, fits 0.9 to 1.3 times as long as alone"


def describe_prospect(prospect: Prospect) -> dict[str, object]:
    """Return a plan as a document."""
    from harness.report.detectable import describe_detectable

    plan = prospect.plan
    return {
        "suite": plan.suite,
        "workers": prospect.workers,
        "tasks": {name: asdict(facts) for name, facts in plan.survey.tasks.items()},
        "backbones": {name: asdict(facts) for name, facts in plan.survey.backbones.items()},
        "cells": [
            {
                "study": study.id,
                "task": study.task,
                "backbone": study.backbone,
                "arm": study.arm,
                "kind": study.kind,
                "outer_fold": study.outer_fold,
                "trials": study.trials,
                "folds": study.folds,
                "repeats": study.repeats,
                "fits": study.fits,
                "known": prospect.known[study.id],
            }
            for study in plan.studies
        ],
        "reuse": None if prospect.reuse is None else _describe_reuse(prospect.reuse),
        "hours": _describe_hours(prospect),
        "timings": [
            {"task": task, "backbone": backbone} | asdict(timing)
            for (task, backbone), timing in prospect.timings.items()
        ],
        "untimed": list(prospect.untimed),
        "room": asdict(prospect.room),
        "detectable": [describe_detectable(each) for each in prospect.detectable],
    }


def show_prospect(prospect: Prospect, width: int) -> str:
    """Return a plan as a table: a line for each task and backbone, then what is left to do."""
    from harness.report.detectable import tell_detectable

    plan = prospect.plan
    cells: dict[tuple[str, str, str], list[Study]] = {}
    for study in plan.studies:
        cells.setdefault((study.task, study.backbone, study.arm), []).append(study)
    lines = [f" {plan.suite} · {len(cells)} cells"]
    for task, facts in plan.survey.tasks.items():
        groups = f" in {facts.groups} groups" if facts.groups is not None else ""
        kinds = f", {len(facts.labels)} classes" if facts.labels else ""
        told = f"{task}: {facts.examples} examples{groups}{kinds}, {facts.metric}, {_show_splits(plan, task)}"
        lines += wrap(told, width)
        lines += [f"  {line}" for note in facts.notes for line in wrap(note, width - 2)]
    rows = [("cell", "trials", "fits", "known")]
    rows += [_row(studies, prospect, width) for studies in cells.values()]
    total, known = sum(study.fits for study in plan.studies), sum(prospect.known.values())
    lines += [f" {line.strip()}" for line in lay_out(rows)]
    workers = count_noun(prospect.workers, "worker")
    lines.append(f" {total} fits at most, {known} known from an earlier run, on {workers}")
    lines += _tell_reuse(prospect.reuse, width)
    lines += _tell_hours(prospect, width)
    lines += _tell_room(prospect.room, width)
    lines += tell_detectable(prospect.detectable, width)
    return "\n".join(lines)


def _show_splits(plan: Plan, task: str) -> str:
    study = next(study for study in plan.studies if study.task == task)
    repeats = f" x {study.repeats}" if study.repeats > 1 else ""
    confirm = max((each.confirming for each in plan.studies if each.task == task), default=0)
    if study.outer_fold is not None:
        outer = len({each.outer_fold for each in plan.studies if each.task == task})
        return f"{outer} outer folds, {study.folds} inner"
    return (
        f"{study.folds} folds{repeats}"
        + (", then confirmed" if confirm else "")
        + (
            f", then on {', '.join(f'{part:g}' for part in study.fractions)} of the rows"
            if study.fractions
            else ""
        )
        + (", then tested" if study.locked else "")
    )


def _row(studies: Sequence[Study], prospect: Prospect, width: int) -> tuple[str, str, str, str]:
    """Return the row of a cell; all searches of a nested protocol stand in one."""
    first = studies[0]
    name = shorten(f"{first.task} · {first.backbone} · {first.arm}", max(12, width - FIGURES_WIDTH))
    trials, fits = sum(study.trials for study in studies), sum(study.fits for study in studies)
    return (name, str(trials), str(fits), str(sum(prospect.known[study.id] for study in studies)))


def _describe_reuse(reuse: Reuse) -> dict[str, object]:
    return {
        "reused": len(reuse.reused),
        "waiting": len(reuse.waiting),
        "new": len(reuse.new),
        "left": reuse.left,
        "reasons": [{"cells": cells, "why": list(why)} for why, cells in reuse.reasons()],
    }


def _tell_reuse(reuse: Reuse | None, width: int) -> list[str]:
    """Return in lines which cells a run has already, which are new, and why."""
    if reuse is None:
        return []
    told = [f"reused: {count_noun(len(reuse.reused), 'cell')}"]
    told += [f"not begun: {len(reuse.waiting)}"] if reuse.waiting else []
    reasons = reuse.reasons()
    new = f"new: {len(reuse.new)}" + (
        "" if reuse.reused or reuse.waiting or not reuse.new else ", all of them"
    )
    if len(reasons) == 1:
        new += f" ({'; '.join(reasons[0][0])})"
    lines = wrap(" · ".join([*told, new]), width)
    if len(reasons) > 1:
        lines += [
            f"  {line}" for why, cells in reasons for line in wrap(f"{cells}: {'; '.join(why)}", width - 2)
        ]
    if reuse.left:
        left = f"what {count_noun(reuse.left, 'former cell')} found stays in the ledger and out of the tables"
        lines += wrap(left, width)
    return lines


def _describe_hours(prospect: Prospect) -> dict[str, object] | None:
    hours, limit_s = prospect.hours, prospect.limit_s
    if hours is None:
        return None
    share = None if limit_s is None else hours.share_in(limit_s)
    return asdict(hours) | {"workers": prospect.workers, "limit_s": limit_s, "share": share}


def _tell_hours(prospect: Prospect, width: int) -> list[str]:
    """Return in lines how long what is left will take, what that rests on, and whether it is done in time."""
    hours, limit_s = prospect.hours, prospect.limit_s
    lines = [line for why in prospect.untimed for line in wrap(why, width)]
    if hours is None:
        return [
            *lines,
            *wrap("no estimate: nothing was timed; `harness plan` without --no-timing does it", width),
        ]
    if not hours.expected_s:
        return lines
    workers = count_noun(prospect.workers, "worker")
    band = f"{show_span(hours.low_s)} - {show_span(hours.high_s)}"
    lines += wrap(f"estimate {show_span(hours.expected_s)} on {workers} (80 %: {band}), {TIMED}", width)
    lines += wrap(BAND, width)
    busy = max((timing.busy for timing in prospect.timings.values()), default=1.0)
    if busy > BUSY:
        quiet = show_span(hours.expected_s / busy)
        told = f"the machine was busy: fits took {busy:.1f} times their processor time; on idle cores about {quiet}"
        lines += wrap(told, width)
    if limit_s is None:
        return lines
    share, given = hours.share_in(limit_s), show_span(limit_s)
    if hours.high_s <= limit_s:
        return [*lines, *wrap(f"within {given}: all of it", width)]
    if share == 1:
        return [*lines, *wrap(f"within {given}: all of it if nothing is slower than expected", width)]
    done = f"about {100 * share:.0f} % of {count_noun(hours.trials, 'trial')}, and the table of these"
    return [*lines, *wrap(f"within {given}: {done}", width)]


def _tell_room(room: Room, width: int) -> list[str]:
    """Return in lines what is needed of disk and memory, and what cannot fit."""
    if not room.results_bytes:
        return []
    shelf = f" and {show_bytes(room.shelf_bytes)} of shelf" if room.shelf_bytes else ""
    memory = f"{show_bytes(room.worker_bytes)} of memory a worker ({show_bytes(room.memory_bytes)} free)"
    if room.elsewhere:
        memory = f"{show_bytes(room.worker_bytes)} of memory a worker (what the cluster's nodes have is not known here)"
    told = f"needs {show_bytes(room.results_bytes)} of disk{shelf} ({show_bytes(room.free_bytes)} free), {memory}"
    lines = wrap(told, width)
    return lines + [line for refusal in room.refusals for line in wrap(f"does not fit: {refusal}", width)]
