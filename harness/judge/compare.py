"""Compare: two runs, of one suite or of two versions of it, cell by cell on the examples that they share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from harness import plugins
from harness.errors import SpecError
from harness.judge.answers import list_some
from harness.judge.comparison import Cell, ComparedTask, Comparison
from harness.judge.evidence import ENOUGH_SHARED, Evidence, share_rows, take_rows, weigh
from harness.judge.stats import bootstrap_difference, holm, mcnemar_exact
from harness.plan import Kind

TOLERANCE = 0.01  # one point
SHOWN = 3  # cells named in a refusal

State = Literal[
    "regressed", "missing", "improved", "held", "not comparable", "no score", "only in A", "only in B"
]
REGRESSIONS: tuple[State, ...] = ("regressed", "missing")
MEASURED: tuple[State, ...] = ("regressed", "improved", "held")

Name = tuple[str, str, Kind, str]  # task, backbone, kind, arm: what two runs call the same cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What became of one cell from run A to run B, both measured on the examples that they share.

    `first` and `second` are the metric of the best trials' out-of-fold predictions in A and B, `difference` is B - A in
    the metric's own direction with its 95 % interval over bags of examples, or of groups. `p` and `mcnemar_p`, the
    latter of decided classes right and wrong, are adjusted for all cells (Holm). `note` says why nothing is measured.
    """

    task: str
    backbone: str
    kind: Kind
    arm: str
    state: State
    note: str = ""
    examples: int = 0  # shared
    first: float | None = None
    second: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    mcnemar_p: float | None = None  # None: no classes, or groups, whose examples are not independent


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Every cell of either run, those of A first; `tasks` describe what the scores mean, by name."""

    first: str
    second: str
    tolerance: float
    tasks: Mapping[str, ComparedTask]
    changes: tuple[Change, ...]

    @property
    def regressions(self) -> tuple[Change, ...]:
        """The cells that are worse beyond tolerance and chance, or have lost their score."""
        return tuple(change for change in self.changes if change.state in REGRESSIONS)


def find_changes(
    first: Comparison, second: Comparison, *, names: tuple[str, str], tolerance: float = TOLERANCE
) -> Changes:
    """Return what became of every cell from `first` to `second`, which `names` call.

    A cell has regressed if it is worse by more than `tolerance`, in its metric's own unit, and the whole of the 95 %
    interval is worse. Raises `SpecError` if no cell is in both, a task of both is measured by another metric, or the
    tolerance is none.
    """
    if not tolerance >= 0:
        raise SpecError(
            f"a tolerance is 0 or more (got {tolerance}): nothing would ever regress, or everything"
        )
    tasks = {task.name: task for task in (*second.tasks, *first.tasks)}
    _check_metrics(first, second)
    old, new = _by_name(first.cells), _by_name(second.cells)
    if not old.keys() & new.keys():
        raise SpecError(
            f"{names[0]} and {names[1]} share no cell: none has the same task, backbone and arm in both. "
            f"The first has {_list_cells(old)}; the second has {_list_cells(new)}."
        )
    changes = [
        _match(cell, new[name], tasks[cell.task], tolerance)
        if name in new
        else _start(cell, "only in A", "B has no such cell")
        for name, cell in old.items()
    ]
    changes += [
        _start(cell, "only in B", "A has no such cell") for name, cell in new.items() if name not in old
    ]
    return Changes(
        first=names[0], second=names[1], tolerance=tolerance, tasks=tasks, changes=_adjust(changes)
    )


def _check_metrics(first: Comparison, second: Comparison) -> None:
    before = {task.name: task.metric for task in first.tasks}
    other = [
        f"task '{task.name}' is measured by {before[task.name]} in the first run and by {task.metric} in the second"
        for task in second.tasks
        if before.get(task.name, task.metric) != task.metric
    ]
    if other:
        raise SpecError(f"{'; '.join(other)}: scores of two metrics cannot be compared")


def _by_name(cells: Sequence[Cell]) -> dict[Name, Cell]:
    return {(cell.task, cell.backbone, cell.kind, cell.arm): cell for cell in cells}


def _list_cells(cells: Mapping[Name, Cell]) -> str:
    return list_some([f"{task} x {backbone} x {arm}" for task, backbone, _, arm in cells], shown=SHOWN)


def _start(cell: Cell, state: State, note: str) -> Change:
    return Change(
        task=cell.task, backbone=cell.backbone, kind=cell.kind, arm=cell.arm, state=state, note=note
    )


def _match(old: Cell, new: Cell, task: ComparedTask, tolerance: float) -> Change:
    """Return what became of a cell that both runs have."""
    if old.score is None:
        return _start(old, "no score", f"A has none: {old.note}")
    if new.score is None:
        return _start(old, "missing", f"B has no score: {new.note}")
    if old.evidence is None or new.evidence is None:
        where = "A" if old.evidence is None else "B"
        return _start(old, "not comparable", f"the predictions of {where} cannot be read")
    if old.evidence.labels != new.evidence.labels:
        return _start(old, "not comparable", _tell_labels(old.evidence.labels, new.evidence.labels))
    rows = share_rows(old.evidence, new.evidence)
    most = max(len(old.evidence.ids), len(new.evidence.ids))
    if len(rows[0]) < ENOUGH_SHARED * most:
        reason = f"{len(rows[0])} of {most} examples have the same id and target in both, fewer than half"
        return replace(_start(old, "not comparable", reason), examples=len(rows[0]))
    return _measure(
        _start(old, "held", ""),
        take_rows(old.evidence, rows[0]),
        take_rows(new.evidence, rows[1]),
        task,
        tolerance,
    )


def _tell_labels(old: Sequence[str], new: Sequence[str]) -> str:
    gone, come = sorted(set(old) - set(new)), sorted(set(new) - set(old))
    told = [
        f"'{label}' is only in {run}" for run, labels in (("A", gone), ("B", come)) for label in labels[:3]
    ]
    return f"the labels differ: {', '.join(told)}"


def _measure(change: Change, old: Evidence, new: Evidence, task: ComparedTask, tolerance: float) -> Change:
    """Return the change with its figures; weights and groups are those of A, a yardstick for both."""
    score = weigh(plugins.find("metrics", task.metric).score, old)
    (before,), (after,) = old.predictions, new.predictions
    groups = old.groups if old.groups is not None else new.groups
    found = bootstrap_difference(before, after, old.targets, score, groups=groups)
    ones = np.ones(len(old.targets))
    scores = score(before, old.targets, ones), score(after, old.targets, ones)
    figures = (*scores, found.difference, found.low, found.high)
    if not all(map(math.isfinite, figures)):
        reason = f"{task.metric} is undefined on the examples that both runs hold"
        return replace(change, state="not comparable", note=reason, examples=len(old.ids))
    return replace(
        change,
        state=_judge(found.difference, found.low, found.high, task, tolerance),
        examples=len(old.ids),
        first=scores[0],
        second=scores[1],
        difference=found.difference,
        low=found.low,
        high=found.high,
        p=found.p,
        mcnemar_p=weigh_disagreements(before, after, old.targets) if groups is None else None,
    )


def _judge(difference: float, low: float, high: float, task: ComparedTask, tolerance: float) -> State:
    # Of goodness.
    gained, worst, best = (difference, low, high) if task.higher_is_better else (-difference, -high, -low)
    if gained < -tolerance and best < 0:
        return "regressed"
    return "improved" if gained > tolerance and worst > 0 else "held"


def weigh_disagreements(before: np.ndarray, after: np.ndarray, targets: np.ndarray) -> float | None:
    """Return McNemar's p of decided classes, None where the predictions are numbers."""
    if before.ndim != 2:
        return None
    was, became = before.argmax(axis=1) == targets, after.argmax(axis=1) == targets
    return mcnemar_exact(int((was & ~became).sum()), int((~was & became).sum()))


def _adjust(changes: Sequence[Change]) -> tuple[Change, ...]:
    """Return the changes with their probabilities adjusted for how many there are of either kind."""
    p = iter(holm([change.p for change in changes if change.p is not None]))
    mcnemar_p = iter(holm([change.mcnemar_p for change in changes if change.mcnemar_p is not None]))
    return tuple(
        replace(
            change,
            p=None if change.p is None else float(next(p)),
            mcnemar_p=None if change.mcnemar_p is None else float(next(mcnemar_p)),
        )
        for change in changes
    )
