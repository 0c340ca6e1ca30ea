"""What has changed between two runs, as plain text for a terminal of any width."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from harness.judge.compare import MEASURED, REGRESSIONS, Change, Changes
from harness.report import numbers
from harness.report.layout import fits, lay_out, sanitise, shorten, wrap

HEAD = ("cell", "A", "B", "B - A", "p", "McNemar", "")
BESIDE = 56  # columns that the figures of the widest table take, so that names know their room
EXPLAINED = (
    "Both on the examples that they share; 95 % interval over bags of them; p and McNemar's p are adjusted for the "
    "cells (Holm)."
)


def render(changes: Changes, *, width: int = 80) -> str:
    """Return the measured cells, the others with their reasons, and the verdict, in lines of at most `width`."""
    measured = [change for change in changes.changes if change.state in MEASURED]
    lines = [f" A: {sanitise(changes.first)}", f" B: {sanitise(changes.second)}"]
    lines = [part for line in lines for part in wrap(line.strip(), width)]
    if measured:
        table = lay_out([HEAD, *(_show_row(change, changes, width) for change in measured)])
        lines += table if fits(table, width) else _draw_blocks(measured, changes, width)
        lines += wrap(EXPLAINED, width)
    others = [change for change in changes.changes if change.state not in MEASURED]
    lines += [line for other in others for line in wrap(_tell(other, changes), width)]
    return "\n".join([*lines, *wrap(_conclude(changes), width)]) + "\n"


def describe(changes: Changes) -> dict[str, object]:
    """Return the changes as a document; what is not measured is null."""
    return {
        "first": changes.first,
        "second": changes.second,
        "tolerance": changes.tolerance,
        "regressions": len(changes.regressions),
        "compared": sum(change.state in MEASURED for change in changes.changes),
        "cells": [
            asdict(change)
            | {
                "metric": changes.tasks[change.task].metric,
                "higher_is_better": changes.tasks[change.task].higher_is_better,
            }
            for change in changes.changes
        ],
    }


def _draw_blocks(measured: Sequence[Change], changes: Changes, width: int) -> list[str]:
    """Return some lines for each cell, where a table is too wide."""
    lines = []
    for change in measured:
        name, first, second, difference, p, mcnemar, state = _show_row(change, changes, 2 * width + BESIDE)
        told = [state, f"{first} to {second}", difference, f"p {p}"]
        told += [f"McNemar {mcnemar}"] if change.mcnemar_p is not None else []
        lines += wrap(shorten(name, width - 2), width, between=" · ")
        lines += [f"  {line}" for line in wrap(" · ".join(told), width - 2, between=" · ")]
    return lines


def _show_row(change: Change, changes: Changes, width: int) -> tuple[str, ...]:
    bounds = changes.tasks[change.task].bounds
    falls = "" if changes.tasks[change.task].higher_is_better else " ↓"
    interval = numbers.show_interval(change.low, change.high, bounds)
    return (
        shorten(_name(change, changes), max(12, width - BESIDE)) + falls,
        numbers.show_score(change.first, bounds),
        numbers.show_score(change.second, bounds),
        f"{numbers.show_score(change.difference, bounds)} {interval}",
        numbers.show_p(change.p),
        numbers.show_p(change.mcnemar_p),
        change.state,
    )


def _name(change: Change, changes: Changes) -> str:
    """Return what a cell is called, without its backbone where that goes without saying."""
    backbones = {other.backbone for other in changes.changes if other.task == change.task}
    parts = [change.task, *([change.backbone] if len(backbones) > 1 else []), change.arm]
    return sanitise(" · ".join(parts))


def _tell(change: Change, changes: Changes) -> str:
    return f"{_name(change, changes)}: {change.state}: {sanitise(change.note)}."


def _conclude(changes: Changes) -> str:
    """Return how many cells came to what, the regressions by name."""
    counts = Counter(change.state for change in changes.changes)
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if state not in REGRESSIONS)
    lost = ", ".join(_name(change, changes) for change in changes.regressions)
    tolerance = f"tolerance {numbers.show_share(changes.tolerance, digits=3).rstrip('0').rstrip('.') or '0'}"
    if lost:
        return f"regressed: {lost}. {f'Others: {told}; ' if told else ''}{tolerance}."
    if not any(counts[state] for state in MEASURED):
        return f"Nothing could be compared: {told}."
    return f"no regression: {told}; {tolerance}."
