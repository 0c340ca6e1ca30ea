"""Incumbents: the best score of each search after each of its trials."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.plan import Plan, Study
from harness.record.history import History, TrialRecord
from harness.record.means import mean_score


@dataclass(frozen=True, slots=True, kw_only=True)
class Incumbents:
    """By study, after each complete trial: its number from 0, and the best mean fold score so far."""

    curves: Mapping[str, tuple[tuple[int, float], ...]] = field(default_factory=dict)


def trace_incumbents(plan: Plan, history: History) -> Incumbents:
    """Return the curve of every arm's study; a trial that was pruned or failed is no candidate for the best.

    An arm of a nested protocol has a search for each outer fold, and no curve.
    """
    return Incumbents(
        curves={
            study.id: _trace(study, history.of(study.id))
            for study in plan.studies
            if study.kind == "arm" and study.outer_fold is None
        }
    )


def _trace(study: Study, trials: Sequence[TrialRecord]) -> tuple[tuple[int, float], ...]:
    curve: list[tuple[int, float]] = []
    for record in trials:
        mean = mean_score(record.search_folds(study.repeats)) if record.state == "complete" else None
        if mean is None or not math.isfinite(mean):
            continue
        best = curve[-1][1] if curve else mean
        curve.append((record.trial, max(best, mean) if study.higher_is_better else min(best, mean)))
    return tuple(curve)
