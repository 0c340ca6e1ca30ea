"""Matrix: the scores of arms and baselines by task, in tables that fit a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.judge.comparison import Cell, ComparedTask, Comparison
from harness.report import numbers
from harness.report.blocks import find_winners
from harness.report.rows import Row, arrange_arms, arrange_baselines


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One cell as text; `best`: it is better than every other arm of its task and backbone, separably."""

    score: str  # "": the task does not take this backbone
    interval: str = ""
    best: bool = False
    missing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixRow:
    """An arm or baseline with its entry for each of the matrix's tasks."""

    name: str
    backbone: str  # "": each task has but one
    rank: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Some tasks of a comparison, with all of its arms and baselines."""

    tasks: tuple[ComparedTask, ...]
    arms: tuple[MatrixRow, ...]
    baselines: tuple[MatrixRow, ...]


def list_matrices(comparison: Comparison, *, most: int) -> list[Matrix]:
    """Return the comparison's scores, in matrices of at most so many tasks."""
    winners = find_winners(comparison)
    arms, baselines = arrange_arms(comparison), arrange_baselines(comparison)
    matrices = []
    for start in range(0, len(comparison.tasks), most):
        places = range(start, min(start + most, len(comparison.tasks)))
        matrices.append(
            Matrix(
                tasks=tuple(comparison.tasks[place] for place in places),
                arms=tuple(_show_row(row, comparison, places, winners) for row in arms),
                baselines=tuple(_show_row(row, comparison, places, winners) for row in baselines),
            )
        )
    return matrices


def _show_row(
    row: Row, comparison: Comparison, places: Sequence[int], winners: frozenset[tuple[str, str, str]]
) -> MatrixRow:
    return MatrixRow(
        name=row.name,
        backbone=row.backbone,
        rank=numbers.show_rank(row.rank.mean_rank) if row.rank else "",
        entries=tuple(_show_entry(comparison.tasks[place], row.cells[place], winners) for place in places),
    )


def _show_entry(task: ComparedTask, cell: Cell | None, winners: frozenset[tuple[str, str, str]]) -> Entry:
    if cell is None:
        return Entry(score="")
    if cell.score is None:
        return Entry(score="missing", missing=True)
    return Entry(
        score=numbers.show_score(cell.score, task.bounds),
        interval=numbers.show_interval(cell.low, cell.high, task.bounds),
        best=cell.kind == "arm" and (cell.task, cell.backbone, cell.arm) in winners,
    )
