"""Further metrics of each task's cells, as the tables that every format shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.judge.comparison import Cell, ComparedTask, Comparison, FurtherMetric
from harness.report import numbers
from harness.report.matrix import Entry, MatrixRow
from harness.report.rows import Row, arrange_arms, arrange_baselines

RAW = "Further metrics of the best trials, raw: not corrected for their choice."


@dataclass(frozen=True, slots=True, kw_only=True)
class FurtherTable:
    """Some of a task's further metrics, with the arms and baselines that have a score."""

    task: ComparedTask
    heads: tuple[str, ...]
    arms: tuple[MatrixRow, ...]
    baselines: tuple[MatrixRow, ...]


def list_further(comparison: Comparison, *, most: int) -> list[FurtherTable]:
    """Return the further metrics of all tasks that record some, in tables of at most so many metrics."""
    arms, baselines = arrange_arms(comparison), arrange_baselines(comparison)
    return [
        FurtherTable(
            task=task,
            heads=tuple(
                numbers.show_metric(metric.name, higher_is_better=metric.higher_is_better)
                for metric in metrics
            ),
            arms=tuple(_show_rows(arms, place, metrics)),
            baselines=tuple(_show_rows(baselines, place, metrics)),
        )
        for place, task in enumerate(comparison.tasks)
        for start in range(0, len(task.metrics), most)
        for metrics in [task.metrics[start : start + most]]
    ]


def _show_rows(rows: Iterable[Row], place: int, metrics: tuple[FurtherMetric, ...]) -> Iterable[MatrixRow]:
    for row in rows:
        cell = row.cells[place]
        if cell is not None and cell.score is not None:
            entries = tuple(_show_entry(cell, metric) for metric in metrics)
            yield MatrixRow(name=row.name, backbone=row.backbone, rank="", entries=entries)


def _show_entry(cell: Cell, metric: FurtherMetric) -> Entry:
    found = next((score for score in cell.metrics if score.name == metric.name), None)
    if found is None or found.value is None:
        return Entry(score=numbers.NOTHING)
    return Entry(
        score=numbers.show_score(found.value, metric.bounds),
        interval=numbers.show_interval(found.low, found.high, metric.bounds),
    )
