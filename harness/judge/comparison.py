"""Comparison: everything a report says of a run, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from harness.candidate import Candidate
from harness.examples import Modality
from harness.judge.budgets import Budget
from harness.judge.by_depth import DepthScore
from harness.judge.classes import ClassTable
from harness.judge.evidence import Evidence
from harness.judge.learning import LearningCurve
from harness.judge.ranking_test import RankingTest
from harness.judge.stats import Components
from harness.plan import Kind, relate_parts
from harness.record.importance import Importance
from harness.spec.options import Protocol, Scheme

SEPARABLE = 0.05  # of an adjusted p
Question = Literal[
    "does fine-tuning pay?",
    "does pretraining pay?",
    "how deep to freeze?",
    "is it overfitting?",
    "what would a cheaper candidate cost?",
    "would more data help?",
    "does the split leak?",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FurtherMetric:
    """A metric that a task records besides its own."""

    name: str
    higher_is_better: bool
    bounds: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class FurtherScore:
    """A further metric on the pooled out-of-fold predictions of a cell's best trial, not corrected for its choice.

    `low` and `high` are the ends of its 95 % interval over bags of examples, or of groups; None is undefined.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedTask:
    """What a reader must know of a task to read its scores; `bounds` are the ends of its metric's range."""

    name: str
    type: str
    modality: Modality
    metric: str
    higher_is_better: bool
    bounds: tuple[float, float]
    folds: int
    examples: int
    groups: int | None  # None: the examples have no groups
    metrics: tuple[FurtherMetric, ...] = ()
    # The same for tasks that differ in nothing but ids, groups and protocol; empty: not known.
    substance: str = ""
    scheme: Scheme = "kfold"
    part_ratio: float | None = None  # of scored to trained examples; None: 1/(folds - 1)

    @property
    def test_over_train(self) -> float:
        """How many examples are scored for each that is trained on, in the mean over folds."""
        return relate_parts(self.folds, self.part_ratio)

    @property
    def fold_correlation(self) -> float:
        """How much the scores of two folds correlate, by the examples they share: 1/k of k like folds."""
        return self.test_over_train / (1 + self.test_over_train)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialCounts:
    """How many trials of a study completed, were given up, and failed."""

    ok: int = 0
    pruned: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bagged:
    """What bags of a task's examples say of a study, the same bags for all of its studies; arrays (bags,)."""

    inside: np.ndarray  # the score inside each bag of the trial that is best there
    outside: np.ndarray  # that trial's score on the examples outside; NaN where it is undefined
    depth: np.ndarray  # its frozen blocks; -1 for a baseline


@dataclass(frozen=True, slots=True, kw_only=True)
class Cheaper:
    """The trial with the fewest trained parameters whose mean is within one standard error of the best trial's.

    `regret` is what deploying it costs outside bags in which the best trial was chosen, positive for worse whatever the
    metric's direction, between `low` and `high` in 95 % of them.
    """

    trial: int
    candidate: Candidate
    depth: int
    trainable_parameters: int | None
    fit_s: float | None
    regret: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One task x backbone x arm: its best trial, which `trial` and `candidate` name, and how it scored.

    Scores are in the metric's own direction. `raw_best` is the metric on the pooled out-of-fold predictions of the
    best trial, `score` what remains of it when the trial is not chosen on the examples that score it, between `low`
    and `high` in 95 % of bags; `optimism` is the difference, positive where the raw score flatters. `gap` is how much
    better the training score is than the mean validation score, positive for overfitting whatever the direction. A
    missing cell has no score, and its `note` says why.
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
    test_score: float | None = None  # on what was locked away; None: nothing was, or it is not opened yet
    test_low: float | None = None
    test_high: float | None = None
    # How much better the tested trial did on its folds than on the test; beside `gap` it makes up training - test.
    test_gap: float | None = None
    depth: int | None = None  # None: a baseline, which freezes nothing
    trainable_parameters: int | None = None
    fit_s: float | None = None
    trial: int | None = None
    candidate: Candidate | None = None
    # The share of bags in which it is the best arm of its task and backbone; None: a baseline, or nothing to draw.
    p_best: float | None = None
    deploy: Cheaper | None = None  # None: no trial is cheaper and as good
    importance: Importance | None = None  # of its searched values; None: too few trials, or nothing to weigh
    learning_curve: LearningCurve | None = None  # of the best trial; None: the protocol asks for none
    fold_scores: tuple[float, ...] = ()  # of the best trial, by repeat and fold
    fold_gaps: tuple[float, ...] = ()  # how much better training scored there
    metrics: tuple[FurtherScore, ...] = ()  # none where its predictions are gone
    depths: tuple[DepthScore, ...] = ()  # of all of its complete trials
    components: Components | None = None  # None: no trial was confirmed on the same folds
    bagged: Bagged | None = field(default=None, compare=False, repr=False)  # None: not corrected
    # The same of its trials that train no block, and of those that train some; None: it has none of them.
    frozen: Bagged | None = field(default=None, compare=False, repr=False)
    tuned: Bagged | None = field(default=None, compare=False, repr=False)
    evidence: Evidence | None = field(default=None, compare=False, repr=False)  # of the best trial alone
    tested: Evidence | None = field(default=None, compare=False, repr=False)  # on what was locked away

    @property
    def seed_sd(self) -> float | None:
        """What the training seed alone does; None: no trial was confirmed with another seed on the same folds."""
        return None if self.components is None else self.components.seed_sd


@dataclass(frozen=True, slots=True, kw_only=True)
class RankRow:
    """The mean rank of an arm over the blocks that are ranked, 1 being the best; None where no block is."""

    arm: str
    mean_rank: float | None
    low: float | None = None  # None: too few tasks for an interval
    high: float | None = None
    # The share of bootstrap draws in which it ranks first; None: nothing to draw from.
    p_best: float | None = None
    tier: str | None = None  # A: not separable from the first; None: not tested
    wins: int | None = None  # pairs of arms in one block; None: not compared in pairs
    ties: int | None = None
    losses: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """The arms by mean rank, best first; `blocks` counts the (task, backbone) pairs ranked over."""

    rows: tuple[RankRow, ...]
    blocks: int
    notes: tuple[str, ...] = ()
    test: RankingTest | None = None  # None: no block, or one method alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """How much better one arm's best trial is than another's on the same folds, positive for better.

    `low` and `high` are the 95 % interval of a corrected resampled t, `p` is adjusted for all pairs of the block
    (Holm); `worse`, `equivalent` and `better` are the probabilities of a difference below, within and above `rope`.
    """

    task: str
    backbone: str
    first: str
    second: str
    difference: float
    low: float
    high: float
    p: float
    worse: float
    equivalent: float
    better: float
    rope: float

    @property
    def winner(self) -> str | None:
        """Who is better, as far as the folds tell; None: they do not."""
        return _find_winner(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedPair:
    """How much better one arm is than another on the same examples, locked away from both; positive for better.

    `low` and `high` are the 95 % interval of a paired bootstrap over examples, or over groups; `p` is by `method`,
    adjusted for all pairs of the block (Holm).
    """

    task: str
    backbone: str
    first: str
    second: str
    difference: float
    low: float
    high: float
    p: float
    method: Literal["McNemar", "paired bootstrap"]
    sentence: str

    @property
    def winner(self) -> str | None:
        """Who is better, as far as the locked examples tell; None: they do not."""
        return _find_winner(self)


def _find_winner(pair: Pair | LockedPair) -> str | None:
    if pair.p >= SEPARABLE:
        return None
    return pair.first if pair.difference > 0 else pair.second


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """An answer in words to a question that people ask of one task and backbone, with the figures behind it."""

    question: Question
    task: str
    backbone: str
    answer: str  # yes, no, a depth, or "cannot tell"
    sentence: str
    difference: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A suite's result: cells stand in the plan's order, `notes` are sentences for the reader."""

    suite: str
    protocol: Protocol
    tasks: tuple[ComparedTask, ...]
    cells: tuple[Cell, ...]
    ranking: Ranking
    pairs: tuple[Pair, ...] = ()
    locked_pairs: tuple[LockedPair, ...] = ()  # of arms whose locked test is opened
    backbones: Mapping[Modality, Ranking] = field(default_factory=dict)  # of modalities with several
    verdicts: tuple[Verdict, ...] = ()
    budgets: tuple[Budget, ...] = ()  # of the blocks whose arms did not get the same
    classes: tuple[ClassTable, ...] = ()  # of the best arm of each task and backbone that has classes
    notes: tuple[str, ...] = ()
