"""Evidence: what the complete trials of a study say of every example, each from the fold that held it out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import ModuleType

import numpy as np

from harness.judge.stats.screen import Rough
from harness.record.history import TrialRecord
from harness.record.scores import FoldScore, Predictions

ENOUGH_SHARED = 0.5  # of the examples: with fewer in common two sides are not compared

Read = Callable[[FoldScore], Predictions | None]
"""Gives a fold's predictions, None where they are no longer there."""


Score = Callable[[np.ndarray, np.ndarray, np.ndarray], float]
"""Scores predictions against targets, given what each row counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """How a task's predictions are scored: its metric, and the target that owns them."""

    score: Score
    target: ModuleType
    further: tuple[tuple[str, Score], ...] = ()  # the metrics that are recorded besides, by name
    # The same for many weightings at once, (bags, rows) to (bags,), to 1e-9; None: the metric does not know how.
    rough: Rough | None = None
    name: str = ""  # of what `score` computes, its code included; empty: not known, and nothing is remembered


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """Out-of-fold predictions of one repeat, one array a trial; rows stand in the order of their ids."""

    ids: tuple[str, ...]
    groups: tuple[str, ...] | None  # what bags draw as one: groups of the data, with twins of equal content
    targets: np.ndarray  # (rows,) class indices, or numbers
    weights: np.ndarray  # (rows,)
    predictions: tuple[np.ndarray, ...]  # of each trial (rows, labels) probabilities, or (rows,) numbers
    labels: tuple[str, ...] = ()  # of classes, in the order of their indices


def gather_evidence(
    trials: Sequence[TrialRecord], *, repeat: int, read: Read, target: ModuleType
) -> Evidence | None:
    """Return the evidence of complete trials of one study; None where predictions of a fold are missing.

    `target` is the plug-in under `harness/targets` that owns the predictions.
    """
    shared: Evidence | None = None
    found: list[np.ndarray] = []
    for trial in trials:
        parts = [read(fold) for fold in trial.folds if fold.repeat == repeat]
        told = [part for part in parts if part is not None]
        if not told or len(told) < len(parts):
            return None
        ids = np.array([each for part in told for each in part.ids])
        order = np.argsort(ids, kind="stable")
        shared = shared or _arrange(told, order, target)
        assert tuple(ids[order].tolist()) == shared.ids, "the trials of a study hold out the same examples"
        found.append(np.concatenate([_as_array(part) for part in told])[order])
    if shared is None:
        return None
    return replace(shared, predictions=tuple(found))


def weigh(score: Score, evidence: Evidence) -> Score:
    """Return a score whose rows count, besides what they are given, by their weights in the evidence."""

    def measure(predictions: np.ndarray, targets: np.ndarray, counts: np.ndarray) -> float:
        return float(score(predictions, targets, counts * evidence.weights))

    return measure


def weigh_many(rough: Rough | None, evidence: Evidence) -> Rough | None:
    """Return the same of many weightings at once; None where the metric does not know how."""
    if rough is None:
        return None

    def measure(predictions: np.ndarray, targets: np.ndarray, counts: np.ndarray) -> np.ndarray:
        return rough(predictions, targets, counts * evidence.weights)

    return measure


def share_rows(first: Evidence, second: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of either that hold the same examples: one id, one target."""
    _, mine, yours = np.intersect1d(
        np.array(first.ids), np.array(second.ids), assume_unique=True, return_indices=True
    )
    same = first.targets[mine] == second.targets[yours]
    return mine[same], yours[same]


def take_rows(evidence: Evidence, rows: np.ndarray) -> Evidence:
    """Return some rows of the evidence, in the given order."""
    groups = evidence.groups
    return replace(
        evidence,
        ids=tuple(evidence.ids[row] for row in rows),
        groups=None if groups is None else tuple(groups[row] for row in rows),
        targets=evidence.targets[rows],
        weights=evidence.weights[rows],
        predictions=tuple(each[rows] for each in evidence.predictions),
    )


def _arrange(told: Sequence[Predictions], order: np.ndarray, target: ModuleType) -> Evidence:
    """Return what all trials share, without their predictions."""
    ids = [each for part in told for each in part.ids]
    targets = [each for part in told for each in part.targets]
    groups = [each for part in told for each in part.clusters or part.groups or ()]
    weights = [each for part in told for each in part.weights or [1.0] * len(part.ids)]
    return Evidence(
        ids=tuple(ids[row] for row in order),
        groups=tuple(groups[row] for row in order) if groups else None,
        targets=target.encode(targets, told[0].labels)[order],
        weights=np.array(weights)[order],
        predictions=(),
        labels=told[0].labels,
    )


def _as_array(part: Predictions) -> np.ndarray:
    return np.asarray(part.values) if part.probabilities is None else part.probabilities
