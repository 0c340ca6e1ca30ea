"""The keys that every plug-in's part of a spec shares: a plug-in's `Options` extends one of these."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict

from harness.spec import ranges


class Keys(BaseModel):
    """A part of a spec: unknown keys are errors, numbers are not strings, values do not change."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


FILES = "files"  # marks a key whose value is a path; it must stay under the spec's folder
SourcePath = Annotated[str, FILES]
REVISION = r"^[A-Za-z0-9_-]+([./][A-Za-z0-9_-]+)*$"  # hubs make paths of it: no `..`, and no `/` at its start
Revision = Annotated[str, Field(pattern=REVISION, max_length=200)]
Words = Annotated[tuple[str, ...], Strict(False)]  # a YAML list; its words stay strict


class DataOptions(Keys):
    """Where examples come from; the reader's own key (csv, images, asset, …) names the source."""

    text: str | Annotated[tuple[str, str], Strict(False)] | None = None
    """The column that holds the text, or two columns for pairs of texts."""
    label: str | None = None
    """The column that holds what is to be predicted."""
    id: str | None = None
    """The column that names each example; without it an example is named by its content."""
    group: str | None = None
    """The column of what must not be split between folds: an author, a speaker, a patient."""
    weight: str | None = None
    """The column of non-negative example weights for the metrics."""
    time: str | None = None
    """The column that `protocol.scheme: temporal` orders examples by: numbers, or ISO dates (`2024-05-31`) and
    datetimes; without a time zone they are taken as UTC."""
    split: str | None = None
    """The column that says `train` or `test` of each row, for `protocol.test: split`."""
    on_bad: Literal["error", "drop"] = "error"
    """What happens when a row cannot be used: stop and name the rows, or drop them and count them."""
    take: Annotated[int, Field(ge=2)] | None = None
    """Use a stratified sample of this many examples, drawn by the suite's seed."""


class Confirm(Keys):
    """How the best trials of an arm are fitted again before one of them is chosen."""

    top: Annotated[int, Field(ge=1)] = 3
    """How many of an arm's best trials."""
    repeats: Annotated[int, Field(ge=1, le=100)] = 2
    """How many further repeats: the first keeps the folds and changes the training seed, the others change both."""


class Nested(Keys):
    """How a search is judged by data that none of its trials saw, once for each outer fold."""

    outer: Annotated[int, Field(ge=2, le=100)] = 5
    """How many outer folds: each is scored once, by the winner of a full search on the others."""
    inner: Annotated[int, Field(ge=2, le=100)] = 3
    """How many folds each of these searches has."""


Fraction = Annotated[float, Field(gt=0, le=1)]
Scheme = Literal["kfold", "leave-one-group-out", "temporal"]


class Protocol(Keys):
    """How examples are split and what is repeated."""

    scheme: Scheme = "kfold"
    """How examples become folds: `kfold` deals them out, in whole groups; `leave-one-group-out` makes each group of
    `data.group` a fold; `temporal` orders them by `data.time`, cuts them into `folds` + 1 parts of like size, and
    scores each part but the oldest by what was learned from all that is older."""
    folds: Annotated[int, Field(ge=2, le=100)] = 5
    """How many folds cross-validation has; not given for `leave-one-group-out`, which has as many as there are
    groups."""
    gap: Annotated[float, Field(ge=0)] = 0.0
    """How much older than all that it is scored on an example must be to be trained on, for `temporal`: in the unit of
    `data.time`, which is days for dates."""
    repeats: Annotated[int, Field(ge=1, le=100)] = 1
    """How many times cross-validation is repeated, each time with other folds; with those of `kfold`, that is: other
    schemes have no others, and only the seeds of the training differ."""
    stratify: Literal["auto"] | bool = "auto"
    """Keep class shares alike in all folds of `kfold`; `auto` does so for labels that are classes."""
    test: Literal["split"] | Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """The share of examples, in whole groups, that is locked away: no trial sees it, and the winner of each arm is
    scored on it once, after the search. 0 locks nothing away; other shares are rounded to twentieths, and to
    whole groups. With `temporal` it is the share of the latest examples. `split` locks away the rows that the column
    `data.split` calls test."""
    confirm: Confirm | None = None
    """Fit the best trials of each arm again on further repeats, which then choose the winner and tell what folds and
    seeds move; off where none is given. No part of a cell's identity: it can be added to a finished suite."""
    fractions: Annotated[tuple[Fraction, ...], Strict(False)] = ()
    """Learning curves: fit the best trial of each arm, and each baseline, again on these fractions of every training
    part, such as `[0.1, 0.3, 1]`, rising; 1 is what was searched on and need not be given. No part of a cell's
    identity: it can be added to a finished suite."""
    nested: Nested | None = None
    """Nested cross-validation in place of all other keys but `stratify`, the suite's too where a task is nested: a full
    search for every outer fold, whose winner is scored on that fold. It compares procedures with all of their tuning,
    takes `outer` times the fits, and leaves no single model to export."""


class TaskOptions(Keys):
    """A task: data, what is predicted, and how it is measured."""

    type: str
    """The task type's name."""
    data: DataOptions
    """Where the examples come from."""
    metric: str | None = None
    """The metric that ranks; the task type's first one where none is given."""
    metrics: Words = ()
    """Further metrics to record and to report beside `metric`."""
    protocol: Protocol | None = None
    """Settings that replace the suite's protocol for this task."""


class EarlyStopping(Keys):
    """How the number of epochs is chosen, on a share of the training part, never on the scoring fold."""

    patience: Annotated[int, Field(ge=1)] = 1
    """Stop after this many epochs without improvement."""
    share: Annotated[float, Field(gt=0, lt=0.9)] = 0.15
    """The share of the fold's training part that chooses the epochs."""


class ArmOptions(Keys):
    """A named search space: what may vary, how deep to freeze, which regularizers."""

    method: str = "full"
    """The tuning method: which parameters train above the frozen depth."""
    freeze_depth: ranges.FreezeDepth = 0
    """How many blocks are frozen: 0 trains everything, `all` trains the head alone; a number above a backbone's blocks
    means all of them."""
    head_lr: ranges.Rate = 1e-3
    """The learning rate of the head."""
    backbone_lr: ranges.Rate = 5e-5
    """The learning rate of the trained blocks; not used where all blocks are frozen."""
    layer_decay: ranges.Factor = 1.0
    """The factor by which the learning rate shrinks with every block below the top one."""
    weight_decay: ranges.Penalty = 0.01
    """AdamW's decoupled weight decay; not applied to biases and norms."""
    dropout: ranges.Share | None = None
    """The dropout of the trained part; the checkpoint's own where none is given. A model without dropout layers stays
    as it is."""
    label_smoothing: ranges.Share = 0.0
    """How much probability the training targets give to the other classes."""
    class_weights: ranges.ClassWeights = "none"
    """Whether classes count alike in the loss: `balanced` weighs each example by n / (classes x examples of its class),
    counted on the fold's training rows. For tasks with labels that are classes."""
    batch_norm: ranges.BatchNorm = "fixed"
    """Whether BatchNorm's statistics in the trained part stay fixed or follow the batches."""
    epochs: ranges.Count = 3
    """How many times the training part is seen; the upper limit under early stopping."""
    batch_size: ranges.Count = 32
    """How many examples one step sees."""
    warmup: ranges.Share = 0.1
    """The share of steps over which the learning rates rise from 0."""
    schedule: ranges.Schedule = "linear"
    """How the learning rates fall to 0 after the warm-up."""
    clip: ranges.Norm = 1.0
    """The gradient norm above which gradients are scaled down."""
    early_stopping: EarlyStopping | None = None
    """Choose the number of epochs inside the training part; off where none is given."""
