"""Further metrics: what a task records besides its own metric, on the predictions of a cell's best trial."""

from __future__ import annotations

from dataclasses import replace

from harness.judge.comparison import Cell, FurtherScore
from harness.judge.evidence import Evidence, Measure, Score
from harness.judge.tested import bootstrap
from harness.judge.whole import keep_finite


def add_further(cell: Cell, measure: Measure | None) -> Cell:
    """Return the cell with its further metrics; as it is where its predictions are gone, or nothing can score them."""
    if measure is None or cell.evidence is None:
        return cell
    evidence = cell.evidence
    return replace(
        cell,
        metrics=tuple(_score_further(name, evidence, measure, score) for name, score in measure.further),
    )


def _score_further(name: str, evidence: Evidence, measure: Measure, score: Score) -> FurtherScore:
    value = keep_finite(score(evidence.predictions[0], evidence.targets, evidence.weights))
    if value is None:
        return FurtherScore(name=name, value=None, low=None, high=None)
    interval = bootstrap(evidence, replace(measure, score=score))
    return FurtherScore(
        name=name, value=value, low=keep_finite(interval.low), high=keep_finite(interval.high)
    )
