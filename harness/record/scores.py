"""FoldJob, what a worker is asked, and FoldScore, what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.candidate import Candidate
from harness.examples import Target
from harness.plan import Kind, Study

FoldState = Literal["ok", "diverged", "oom", "timeout", "error"]
TrialState = Literal["complete", "pruned", "failed"]
Key = tuple[str, int, int, int, float]
"""Study, trial, repeat, fold, and fraction of the training part."""


def name_files(key: Key) -> str:
    """Return what a fold's files are called, without their kind."""
    study, trial, repeat, fold, fraction = key
    part = f"-p{fraction!r}" if fraction < 1 else ""
    return f"{study}-t{trial}-r{repeat}-f{fold}{part}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldJob:
    """One fit: a candidate of a study, or a baseline, on one fold of one repeat."""

    study: str
    task: str
    backbone: str
    arm: str
    kind: Kind
    trial: int
    repeat: int
    fold: int
    candidate: Candidate | None  # None: a baseline, which has nothing to search
    fraction: float = 1.0  # of the fold's training part
    outer_fold: int | None = None  # of a nested protocol

    @classmethod
    def of(
        cls,
        study: Study,
        trial: int,
        candidate: Candidate | None,
        *,
        repeat: int,
        fold: int,
        fraction: float = 1.0,
    ) -> FoldJob:
        """Return one fit of a study's trial."""
        return cls(
            study=study.id,
            task=study.task,
            backbone=study.backbone,
            arm=study.arm,
            kind=study.kind,
            trial=trial,
            repeat=repeat,
            fold=fold,
            candidate=candidate,
            fraction=fraction,
            outer_fold=study.outer_fold,
        )

    @property
    def key(self) -> Key:
        """What a fold counts once under."""
        return (self.study, self.trial, self.repeat, self.fold, self.fraction)


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """What a model says of each validation example: one value, of the kind that the task's target owns."""

    ids: tuple[str, ...]
    groups: tuple[str, ...] | None
    targets: tuple[Target, ...]
    values: tuple[Target, ...]
    weights: tuple[float, ...] | None = None  # what each example counts; None: all alike
    # The first id of what each example shares its fold with, twins of equal content; None: ids and groups say as much.
    clusters: tuple[str, ...] | None = None
    labels: tuple[str, ...] = ()
    probabilities: np.ndarray | None = None  # (examples, labels) float32, for targets that are classes


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldScore:
    """What one fit came to. Scores are in the metric's own direction; what a failed fit lacks is None."""

    study: str
    trial: int
    repeat: int
    fold: int
    state: FoldState
    fraction: float = 1.0  # of the training part that it was fitted on
    outer_fold: int | None = None  # of a nested protocol, whose fold it locks away
    error: str | None = None
    freeze_depth: int | None = None
    blocks: int | None = None
    seed: int = 0
    n_train: int = 0
    metric: str = ""
    train_score: float | None = None
    valid_score: float | None = None
    train_loss: float | None = None
    valid_loss: float | None = None
    metrics: tuple[tuple[str, float], ...] = ()  # every recorded metric on the validation part
    epochs: int | None = None
    steps: int | None = None
    micro_batch: int | None = None  # examples of one forward pass; None: memory sufficed for the whole batch
    precision: str | None = None  # what blocks computed in: float32 or bfloat16; None: nothing was tuned
    fit_s: float = 0.0
    cpu_s: float = 0.0
    trainable_parameters: int | None = None
    peak_rss_bytes: int | None = None
    peak_gpu_bytes: int | None = None  # of tensors, at most at once; None: it did not run on a GPU
    shelf_hit: bool | None = None  # None: this fit does not use the shelf
    frozen_proof: str | None = None  # the hash of what was frozen, equal before and after the fit
    started_at: str = ""  # UTC, ISO 8601
    host: str = ""
    predictions: Predictions | None = None
    predictions_sha256: str | None = None  # of the predictions' file, known once that is durable
    traceback: str | None = (
        None  # of a fault that nobody foresaw, a bug in all likelihood; kept in a file of its own
    )

    @property
    def key(self) -> Key:
        """What a fold counts once under."""
        return (self.study, self.trial, self.repeat, self.fold, self.fraction)
