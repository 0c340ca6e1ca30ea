"""Classes: how each class of a task fares, and which are taken for which."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np

from harness.judge.evidence import Evidence
from harness.judge.stats import Interval, bootstrap_values, wilson


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScore:
    """One class: the weight of its examples, and how they were decided; None for what would divide by nothing."""

    label: str
    support: float
    precision: float | None  # None: never predicted
    recall: float | None  # None: no example counts
    low: float | None  # of the recall, 95 %
    high: float | None
    f1: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Confused:
    """How often one class was taken for another."""

    target: str
    predicted: str
    count: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTable:
    """The classes of the best arm's best trial on one task and backbone, from pooled out-of-fold predictions.

    `confusion` has a row for each target and a column for each prediction, in the order of `classes`; what it counts
    are examples, or their weights where `weighted`. Nothing is corrected for the choice of the trial.
    """

    task: str
    backbone: str
    arm: str
    trial: int | None  # None: of a nested protocol, where each outer fold has its own winner
    weighted: bool
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[float, ...], ...]

    def list_confused(self) -> tuple[Confused, ...]:
        """Return the pairs of classes that were taken for each other, each way for itself, the commonest first."""
        names = [each.label for each in self.classes]
        pairs = [
            Confused(target=target, predicted=predicted, count=count)
            for target, row in zip(names, self.confusion, strict=True)
            for predicted, count in zip(names, row, strict=True)
            if count
        ]
        wrong = [pair for pair in pairs if pair.target != pair.predicted]
        return tuple(sorted(wrong, key=lambda pair: -pair.count))


def tabulate_classes(
    evidence: Evidence, target: ModuleType, *, task: str, backbone: str, arm: str, trial: int | None
) -> ClassTable | None:
    """Return the classes of a trial's evidence; None where the target plug-in declares none: what it owns is numbers.

    A recall's interval is Wilson's where every example counts once and stands for itself, else it comes from 500 bags
    of examples, or of groups.
    """
    if not evidence.labels:
        return None
    values = target.read_values(evidence.predictions[0], evidence.labels)
    decided = target.encode(values, evidence.labels)  # (rows,)
    confusion = _count(evidence.targets, decided, evidence.weights, len(evidence.labels))
    weighted = bool((evidence.weights != 1).any())
    plain = not weighted and evidence.groups is None
    intervals = _score_wilson(confusion) if plain else _draw_recalls(evidence, decided)
    return ClassTable(
        task=task,
        backbone=backbone,
        arm=arm,
        trial=trial,
        weighted=weighted,
        classes=tuple(
            _score(label, place, confusion, intervals[place]) for place, label in enumerate(evidence.labels)
        ),
        confusion=tuple(tuple(map(float, row)) for row in confusion),
    )


def _count(targets: np.ndarray, decided: np.ndarray, weights: np.ndarray, classes: int) -> np.ndarray:
    """Return the weight of the rows of each (target, decided class), (classes, classes)."""
    cells = targets * classes + decided
    return np.bincount(cells, weights=weights, minlength=classes * classes).reshape(classes, classes)


def _score(label: str, place: int, confusion: np.ndarray, interval: Interval | None) -> ClassScore:
    support, predicted = float(confusion[place].sum()), float(confusion[:, place].sum())
    right = float(confusion[place, place])
    return ClassScore(
        label=label,
        support=support,
        precision=right / predicted if predicted else None,
        recall=right / support if support else None,
        low=interval.low if interval and support else None,
        high=interval.high if interval and support else None,
        f1=2 * right / (support + predicted) if support + predicted else None,
    )


def _score_wilson(confusion: np.ndarray) -> list[Interval | None]:
    return [
        wilson(int(row[place]), int(row.sum())) if row.sum() else None for place, row in enumerate(confusion)
    ]


def _draw_recalls(evidence: Evidence, decided: np.ndarray) -> list[Interval | None]:
    """Return the interval of each class's recall over bags; a bag without the class says nothing of it."""
    classes, right = len(evidence.labels), decided == evidence.targets

    def measure(counts: np.ndarray) -> np.ndarray:
        weights = counts * evidence.weights
        support = np.bincount(evidence.targets, weights=weights, minlength=classes)
        found = np.bincount(evidence.targets, weights=weights * right, minlength=classes)
        return np.where(support > 0, found / np.where(support > 0, support, 1), np.nan)

    return list(bootstrap_values(measure, rows=len(decided), groups=evidence.groups))
