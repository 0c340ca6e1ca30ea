"""Comparison: everything a report says of a run, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.candidate import Candidate
from harness.examples import Modality
from harness.spec.options import Protocol

Kind = Literal["arm", "baseline"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedTask:
    """What a reader must know of a task to read its scores; `bounds` are the ends of its metric's range."""

    name: str
    type: str
    modality: Modality
    metric: str
    higher_is_better: bool
    bounds: tuple[float, float]
    examples: int
    groups: int | None  # None: the examples have no groups


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialCounts:
    """How many trials of a study completed, were given up, and failed."""

    ok: int = 0
    pruned: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One task x backbone x arm: its best trial, which `trial` and `candidate` name, and how it scored.

    Scores are in the metric's own direction, means over all folds of the best trial; `low` and `high` are the
    ends of a 95 % interval. `gap` is how much better the training score is than the validation score, positive
    for overfitting whatever the direction. A missing cell has no score, and its `note` says why.
    """

    study: str
    task: str
    backbone: str
    arm: str
    kind: Kind
    blocks: int
    trials: TrialCounts
    note: str = ""
    score: float | None = None
    low: float | None = None
    high: float | None = None
    raw_best: float | None = None
    optimism: float | None = None  # None: not estimated
    train_score: float | None = None
    gap: float | None = None
    fold_sd: float | None = None
    depth: int | None = None  # None: a baseline, which freezes nothing
    trainable_parameters: int | None = None
    fit_s: float | None = None
    trial: int | None = None
    candidate: Candidate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RankRow:
    """The mean rank of an arm over the blocks that are ranked, 1 being the best; None where no block is."""

    arm: str
    mean_rank: float | None
    low: float | None = None  # None: too few tasks for an interval
    high: float | None = None
    tier: str | None = None  # None: not tested


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """The arms by mean rank, best first; `blocks` counts the (task, backbone) pairs ranked over."""

    rows: tuple[RankRow, ...]
    blocks: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A suite's result: cells stand in the plan's order, `notes` are sentences for the reader."""

    suite: str
    protocol: Protocol
    tasks: tuple[ComparedTask, ...]
    cells: tuple[Cell, ...]
    ranking: Ranking
    notes: tuple[str, ...] = ()
