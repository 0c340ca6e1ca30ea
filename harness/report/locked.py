"""Locked: the arms of each task against each other on the locked test, as lines of a table."""

from __future__ import annotations

from dataclasses import dataclass

from harness.judge.comparison import Comparison
from harness.report import numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedLine:
    """Two arms on the locked test as text, the better one first; `task` stands in the first line of a block alone."""

    task: str
    backbone: str
    better: str
    worse: str
    difference: str
    p: str
    test: str
    separable: bool


def list_locked(comparison: Comparison) -> tuple[LockedLine, ...]:
    """Return a line for each pair, block by block."""
    bounds = {task.name: task.bounds for task in comparison.tasks}
    lines, last = [], None
    for pair in comparison.locked_pairs:
        block = (pair.task, pair.backbone)
        better, worse, difference, low, high = (
            (pair.first, pair.second, pair.difference, pair.low, pair.high)
            if pair.difference >= 0
            else (pair.second, pair.first, -pair.difference, -pair.high, -pair.low)
        )
        lines.append(
            LockedLine(
                task=pair.task if block != last else "",
                backbone=pair.backbone if block != last else "",
                better=better,
                worse=worse,
                difference=numbers.show_estimate(difference, low, high, bounds[pair.task]),
                p=numbers.show_p(pair.p),
                test=pair.method,
                separable=pair.winner is not None,
            )
        )
        last = block
    return tuple(lines)
