"""The spec: what a user asks for, as one frozen value."""

from __future__ import annotations

from functools import cache, reduce
from operator import or_
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, create_model

from harness import plugins
from harness.spec.choose import method_of, reader_of, task_type_of
from harness.spec.options import REVISION, ArmOptions, Keys, Protocol, Revision, TaskOptions

SLUG = r"^[a-z0-9][a-z0-9._-]{0,63}$"
TIME_OF_DAY = r"^([01]\d|2[0-3]):[0-5]\d$"
HOST_PORT = r"^[A-Za-z0-9._-]+:\d{1,5}$"
PATTERNS = {
    SLUG: "small letters, digits, '.', '_' and '-', at most 64, the first a letter or a digit",
    TIME_OF_DAY: "a time of day such as '07:00'",
    REVISION: "a branch, a tag or a commit",
    HOST_PORT: "local, auto, or a cluster's address such as '10.0.0.5:6379'",
}
"""What the patterns of keys and values ask for, in words."""

Slug = Annotated[str, Field(pattern=SLUG)]
Baseline = Literal["majority", "classical", "generic", "probe", "scratch"]
BASELINES: tuple[Baseline, ...] = ("majority", "classical", "generic", "probe")
"""Those of every table that names none."""
CONTROLS: tuple[Baseline, ...] = ("scratch",)
"""Those that are searched as an arm is."""


class Backbone(Keys):
    """A pretrained checkpoint, and how it is read."""

    model: str
    """`asset:NAME`, a folder, or a hub id."""
    revision: Revision | None = None
    """The hub revision: a branch, a tag or a commit."""
    pooling: Literal["mean", "cls", "model"] = "mean"
    """How the baselines turn a sequence of vectors into one: the mean over unmasked positions, the first, or
    the model's own."""
    stem: Literal["trained", "frozen"] | None = None
    """Whether freeze_depth 0 trains the stem too; else frozen for speech, trained otherwise."""


class Search(Keys):
    """How candidates are proposed and when one is given up."""

    trials: Annotated[int, Field(ge=1, le=100_000)] = 20
    """How many distinct candidates a study asks for, pruned and failed ones included."""
    sampler: Literal["tpe", "random", "grid"] = "tpe"
    """Who proposes: Optuna's TPE, chance, or every point of a grid."""
    startup: Annotated[int, Field(ge=0)] = 5
    """How many candidates are drawn at random before TPE learns, and complete before the pruner acts."""
    pruner: Literal["median", "none"] = "median"
    """Give a trial up when the mean of its folds so far is below the median of the other trials'."""
    batch: Annotated[int, Field(ge=0)] = 0
    """Ask this many candidates at a time and answer them together, for tables that do not depend on who
    finishes first; 0 asks whenever a worker is free."""


class Budget(Keys):
    """What the suite may use; without it a suite runs until it is complete.

    Every cell has its baselines first, then trials are dealt out so that no study is left behind. The search ends
    early enough for confirmation, the locked test and the tables, by the seconds that this suite's own fits take.
    """

    hours: Annotated[float, Field(gt=0, le=100_000)] | None = None
    """The suite has ended after this many hours of work, those of earlier runs of it counted."""
    finish_by: Annotated[str, Field(pattern=TIME_OF_DAY)] | None = None
    """The suite has ended by this time of day (`07:00`), on the machine's own clock."""
    trials: Annotated[int, Field(ge=1)] | None = None
    """How many trials of arms and controls are asked in all, those of earlier runs counted."""
    per_task: Annotated[float, Field(gt=0, le=100_000)] | None = None
    """How many hours of fitting a task may take, summed over its fits on all workers and in earlier runs; it then asks
    no more trials."""
    fold_minutes: Annotated[float, Field(gt=0, le=100_000)] = 60
    """A fit that takes longer, and ten times as long as fits like it usually do, is hung: it is given up as failed,
    and its worker replaced."""
    minimum_trials: Annotated[int, Field(ge=1)] = 1
    """With fewer complete trials than this in any study, a budget that ended is an error (exit code 5). Studies that
    have fewer come first."""


class Compute(Keys):
    """What folds run on: workers, their share of the machine or of a cluster, and the shelf."""

    address: Literal["local", "auto"] | Annotated[str, Field(pattern=HOST_PORT)] = "local"
    """Where workers run: on this machine, or on the Ray cluster at `HOST:PORT`; `auto` is the one that RAY_ADDRESS
    names, else the one that was started on this machine last. The command runs on one of its nodes."""

    workers: Literal["auto"] | Annotated[int, Field(ge=1, le=1024)] = "auto"
    """How many folds run at once; `auto` is one for each core or share of a GPU, but no more than one for each 24 fits
    that are left, for starting one takes seconds. One worker on this machine runs in the harness's own process. On a
    cluster `auto` is as many as its nodes have room for, more when nodes are added and fewer when they go; a number
    asks for so many, which makes a cluster that can grow do so."""
    threads: Annotated[int, Field(ge=1)] = 1
    """Threads of a worker; more than idle cores make a fit many times slower."""
    cpus_per_worker: Annotated[float, Field(gt=0)] | None = None
    """CPUs that each worker claims; as many as its threads unless given."""
    gpus_per_worker: Annotated[float, Field(ge=0)] = 0
    """GPUs that each worker claims; below 1 several workers share one."""
    spread: bool = False
    """Whether workers are spread over a cluster's nodes; else one node is filled after the other."""
    precision: Literal["float32", "bfloat16", "auto"] = "float32"
    """What blocks compute in; `auto` takes bfloat16 where the processor has it. Part of a cell's identity."""
    shelf: Literal["float32", "fp16", "off"] = "float32"
    """How the activations of frozen blocks are stored; fp16 halves the space, moves logits by up to 2e-3."""
    shelf_bytes: Annotated[int, Field(ge=0)] = 20_000_000_000
    """How much disk the shelf may take; the activations used longest ago go first."""


class Spec(Keys):
    """A suite: tasks, backbones and arms, and how they are compared."""

    version: Literal[1]
    """The version of this format."""
    name: Slug
    """The suite's name, and its folder's name under results/."""
    description: str = ""
    """What the suite is for."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """The number from which every random choice follows."""
    tasks: Annotated[dict[Slug, TaskOptions], Field(min_length=1)]
    """What is learned: data, type and metric, by name."""
    backbones: Annotated[dict[Slug, Backbone], Field(min_length=1)]
    """The pretrained checkpoints, by name; a task takes those of its modality."""
    arms: Annotated[dict[Slug, ArmOptions], Field(min_length=1)]
    """The search spaces that are compared, by name."""
    baselines: Annotated[tuple[Baseline, ...], Field(strict=False)] = BASELINES
    """What every table shows beside the arms. `scratch`, which costs a whole search, is the control of pretraining:
    the same network from random weights, with as many trials, over the ranges of the arm that trains the most (the
    least freeze_depth, the first of several) but with freeze_depth 0, the stem trained and batch_norm trained. A
    network from scratch often wants a higher backbone_lr than fine-tuning does: give that arm a wide range."""
    protocol: Protocol = Protocol()
    """How examples are split."""
    search: Search = Search()
    """How candidates are proposed."""
    budget: Budget = Budget()
    """When the suite must end."""
    compute: Compute = Compute()
    """What folds run on."""


def spec_model() -> type[Spec]:
    """Return the spec's model, in which tasks, arms and data may be any plug-in known to this process."""
    return _spec_model(tuple(plugins.names(kind) for kind in plugins.KINDS))


@cache
def _spec_model(_known: tuple[tuple[str, ...], ...]) -> type[Spec]:
    data = _union("readers", reader_of)
    tasks = [
        create_model(
            f"Task_{name}",
            __base__=plugins.find("tasks", name).Options,
            __doc__=_doc("tasks", name),
            data=(data, _described(TaskOptions, "data")),
        )
        for name in plugins.names("tasks")
    ]
    tagged = (Annotated[model, Tag(name)] for model, name in zip(tasks, plugins.names("tasks"), strict=True))
    task: Any = Annotated[reduce(or_, tagged), Discriminator(task_type_of)]
    arm: Any = _union("methods", method_of)
    return create_model(
        "Spec",
        __base__=Spec,
        __doc__=Spec.__doc__,
        tasks=(dict[Slug, task], _described(Spec, "tasks", min_length=1)),
        arms=(dict[Slug, arm], _described(Spec, "arms", min_length=1)),
    )


def _union(kind: plugins.Kind, discriminate: Any) -> Any:  # a type made at run time has no static type
    options = (Annotated[plugins.find(kind, name).Options, Tag(name)] for name in plugins.names(kind))
    return Annotated[reduce(or_, options), Discriminator(discriminate)]


def _doc(kind: plugins.Kind, name: str) -> str | None:
    doc: str | None = plugins.find(kind, name).Options.__doc__
    return doc


def _described(model: type[Keys], field: str, min_length: int | None = None) -> Any:
    return Field(description=model.model_fields[field].description, min_length=min_length)
