"""The cells of a comparison as people read them: one row for each arm, one column for each task."""

from __future__ import annotations

from dataclasses import dataclass

from harness.judge.comparison import Cell, ComparedTask, Comparison, RankRow
from harness.plan import Kind
from harness.report import numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An arm, baseline or control, on one backbone where a task has several, with its cell for each task."""

    name: str
    backbone: str  # "": each task has but one
    rank: RankRow | None  # None: a baseline, or an arm whose rank stands in an earlier row
    cells: tuple[Cell | None, ...]  # None: the task does not take this backbone


def name_splits(comparison: Comparison) -> str:
    """Return what a suite's scores are taken over, in words; the tasks may differ in their number of folds."""
    protocol = comparison.protocol
    if protocol.nested is not None:
        return f"{protocol.nested.outer} outer x {protocol.nested.inner} inner folds"
    repeats = f" x {protocol.repeats} repeats" if protocol.repeats > 1 else ""
    schemes = {task.scheme for task in comparison.tasks}
    each = ", one for each group" if schemes == {"leave-one-group-out"} else ""
    forward = " forward in time" if schemes == {"temporal"} else ""
    folds = sorted({task.folds for task in comparison.tasks}) or [protocol.folds]
    span = f"{folds[0]} to {folds[-1]}" if len(folds) > 1 else f"{folds[0]}"
    return f"{span} folds{forward}{each}{repeats}"


def arrange_arms(comparison: Comparison) -> list[Row]:
    """Return the rows of the arms, the best ranked first."""
    return [
        row for ranked in comparison.ranking.rows for row in _rows(comparison, "arm", ranked.arm, rank=ranked)
    ]


def arrange_baselines(comparison: Comparison) -> list[Row]:
    """Return the rows of the baselines, controls among them, in the plan's order."""
    names = dict.fromkeys((cell.kind, cell.arm) for cell in comparison.cells if cell.kind != "arm")
    return [row for kind, name in names for row in _rows(comparison, kind, name, rank=None)]


def name_row(kind: Kind, name: str) -> str:
    """Return what a row is called: a control is told from the baselines that it stands among."""
    return f"{name} (control)" if kind == "control" else name


def has_several_backbones(comparison: Comparison) -> bool:
    """Tell whether any task has more than one backbone."""
    pairs = {(cell.task, cell.backbone) for cell in comparison.cells}
    return len(pairs) > len({task for task, _ in pairs})


def zip_tasks(row: Row, comparison: Comparison) -> list[tuple[ComparedTask, Cell]]:
    """Return the row's cells, each with its task."""
    pairs = zip(comparison.tasks, row.cells, strict=True)
    return [(task, cell) for task, cell in pairs if cell is not None]


def show_cell(task: ComparedTask, cell: Cell | None) -> str:
    """Return a cell's score with its interval; nothing where the task does not take the backbone."""
    return numbers.show_estimate(cell.score, cell.low, cell.high, task.bounds) if cell else ""


def _rows(comparison: Comparison, kind: Kind, name: str, *, rank: RankRow | None) -> list[Row]:
    own = [cell for cell in comparison.cells if (cell.kind, cell.arm) == (kind, name)]
    if not has_several_backbones(comparison):
        found = {cell.task: cell for cell in own}
        return [
            Row(
                name=name_row(kind, name),
                backbone="",
                rank=rank,
                cells=tuple(found.get(t.name) for t in comparison.tasks),
            )
        ]
    rows = []
    for place, backbone in enumerate(dict.fromkeys(cell.backbone for cell in comparison.cells)):
        found = {cell.task: cell for cell in own if cell.backbone == backbone}
        cells = tuple(found.get(task.name) for task in comparison.tasks)
        rows.append(
            Row(name=name_row(kind, name), backbone=backbone, rank=None if place else rank, cells=cells)
        )
    return rows
