"""A comparison as CSV: one line for each cell, inert in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from harness.judge.comparison import Cell, ComparedTask, Comparison
from harness.report.layout import sanitise

FORMULA = tuple("=+-@＝＋－＠")  # what a spreadsheet, also a full-width one, takes for the start of a formula
HEADER = (
    *(
        "task",
        "backbone",
        "arm",
        "kind",
        "metric",
        "score",
        "low",
        "high",
        "raw_best",
        "optimism",
        "train_score",
        "test_score",
    ),
    *(
        "gap",
        "test_gap",
        "fold_sd",
        "seed_sd",
        "depth",
        "blocks",
        "trainable_parameters",
        "fit_s",
        "trials_ok",
        "trials_pruned",
    ),
    *("trials_failed", "note"),
)


def render(comparison: Comparison) -> str:
    """Return a header and one line for each cell; an unknown number is an empty field.

    Each further metric that any task records has three columns at the end: `metric:NAME` and the ends of its interval.
    """
    tasks = {task.name: task for task in comparison.tasks}
    budgets = {(budget.task, budget.backbone): budget.sentence for budget in comparison.budgets}
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    further = dict.fromkeys(metric.name for task in comparison.tasks for metric in task.metrics)
    ends = [sanitise(f"metric:{name}{end}") for name in further for end in ("", ":low", ":high")]
    writer.writerow([*HEADER, *ends])
    writer.writerows(
        [
            *_list_fields(
                cell,
                tasks[cell.task],
                budgets.get((cell.task, cell.backbone), "") if cell.kind == "arm" else "",
            ),
            *_list_further(cell, list(further)),
        ]
        for cell in comparison.cells
    )
    return file.getvalue()


def _list_fields(cell: Cell, task: ComparedTask, budget: str) -> list[str | float | None]:
    """Return a cell's fields; what its arms were given stands with the note."""
    words = (cell.task, cell.backbone, cell.arm, cell.kind, task.metric)
    scores = (
        cell.score,
        cell.low,
        cell.high,
        cell.raw_best,
        cell.optimism,
        cell.train_score,
        cell.test_score,
        cell.gap,
        cell.test_gap,
    )
    costs = (cell.fold_sd, cell.seed_sd, cell.depth, cell.blocks, cell.trainable_parameters, cell.fit_s)
    trials = (cell.trials.ok, cell.trials.pruned, cell.trials.failed)
    note = "; ".join(filter(None, (cell.note, budget)))
    return [*map(_disarm, words), *scores, *costs, *trials, _disarm(note)]


def _list_further(cell: Cell, names: Sequence[str]) -> list[float | None]:
    found = {score.name: (score.value, score.low, score.high) for score in cell.metrics}
    return [value for name in names for value in found.get(name, (None, None, None))]


def _disarm(text: str) -> str:
    """Return text that no spreadsheet runs: what looks like a formula is quoted with ' as spreadsheets do."""
    text = sanitise(text)
    return f"'{text}" if text.lstrip().startswith(FORMULA) else text
