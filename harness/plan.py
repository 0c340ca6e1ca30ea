"""Plan: every study that a spec asks for, with an identity that depends on content alone."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from harness.candidate import Space, count_candidates, resolve_space
from harness.control import make_scratch
from harness.examples import Modality
from harness.spec.models import CONTROLS, Spec
from harness.spec.options import ArmOptions, Confirm, Protocol, TaskOptions
from harness.spec.ranges import as_yaml
from harness.spec.splits import merge_protocol

Kind = Literal["arm", "baseline", "control"]
"""A search space that is ranked; a rival that has nothing to search; a rival that is searched as arms are."""

SCHEMA_VERSION = 1  # of results: part of every identity, so that no run mixes two schemas
# Keys of arms that came later: at their defaults they change no identity of before.
ADDED = ("class_weights",)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFacts:
    """What was found when a task's data was read."""

    digest: str
    modality: Modality
    examples: int
    groups: int | None
    labels: tuple[str, ...]
    metric: str
    metrics: tuple[str, ...]  # all that are recorded, the primary one first
    higher_is_better: bool
    folds: str  # the hash of every example's fold in every repeat
    notes: tuple[str, ...] = ()
    fold_count: int | None = None  # None: the data do not say, the protocol does
    # The mean over folds of scored to trained examples; None: 1/(folds - 1), of folds of like size.
    part_ratio: float | None = None
    content: str = ""  # the digest without ids and groups, no part of an identity; empty: an older run's


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneFacts:
    """What was found in a checkpoint."""

    digest: str
    modality: Modality
    blocks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Frozen facts about the tasks and the backbones of a spec, by name."""

    tasks: Mapping[str, TaskFacts]
    backbones: Mapping[str, BackboneFacts]
    # Why `tasks.NAME` or `backbones.NAME` of the spec was left out; no part of an identity.
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One cell of the comparison, task x backbone x arm: what is asked over and over until its trials are spent."""

    id: str
    task: str
    backbone: str
    arm: str
    kind: Kind
    space: Space | None  # None: a baseline has nothing to search
    trials: int
    repeats: int
    folds: int
    higher_is_better: bool
    blocks: int
    part_ratio: float | None = None  # see TaskFacts
    locked: bool = False  # a part of the examples is locked away for the test
    # What is locked away is this fold of a nested protocol; None: it is not nested.
    outer_fold: int | None = None
    confirm: Confirm | None = None  # None: the winner is chosen by the folds that were searched on
    # Of the training parts, below 1, that the best trial is fitted on again.
    fractions: tuple[float, ...] = ()

    @property
    def test_over_train(self) -> float:
        """How many examples are scored for each that is trained on, in the mean over folds."""
        return relate_parts(self.folds, self.part_ratio)

    @property
    def fits(self) -> int:
        """How many fits this study takes if no trial is pruned."""
        return self.trials * self.repeats * self.folds + self.confirming + self.reducing + self.locked

    @property
    def confirming(self) -> int:
        """How many of them confirm the best trials."""
        if self.confirm is None:
            return 0
        return min(self.confirm.top, self.trials) * self.confirm.repeats * self.folds

    @property
    def reducing(self) -> int:
        """How many of them fit the best trial on less data."""
        return len(self.fractions) * self.folds


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All cells of a suite; two cells of one content are one study."""

    suite: str
    survey: Survey
    studies: tuple[Study, ...]


def relate_parts(folds: int, ratio: float | None) -> float:
    """Return the ratio of scored to trained examples that the corrected tests take: of k like folds 1/(k - 1)."""
    return 1 / (folds - 1) if ratio is None else ratio


def protocol_of(spec: Spec, task: str) -> Protocol:
    """Return the suite's protocol with the keys replaced that the task gives; a nested one has its inner folds."""
    return merge_protocol(spec.protocol, spec.tasks[task])


def list_outer(protocol: Protocol) -> tuple[int | None, ...]:
    """Return the outer folds of a protocol; of one that is not nested None alone."""
    return (None,) if protocol.nested is None else tuple(range(protocol.nested.outer))


def count_folds_of(spec: Spec, survey: Survey, task: str) -> int:
    """Return how many folds a task has: as many as the survey found in its data, else as the protocol says."""
    return survey.tasks[task].fold_count or protocol_of(spec, task).folds


def locks_away(protocol: Protocol) -> bool:
    """Say whether a part of the examples is locked away: for the test, or as the outer fold of a nested protocol."""
    return protocol.nested is not None or protocol.test == "split" or protocol.test > 0


def settle_protocols(spec: Spec) -> Spec:
    """Return the spec with each task's whole protocol: as JSON it no longer tells which of its keys were given."""
    tasks = {
        name: task.model_copy(update={"protocol": protocol_of(spec, name)}) if task.protocol else task
        for name, task in spec.tasks.items()
    }
    return spec.model_copy(update={"tasks": tasks})


def drop_missing(spec: Spec, survey: Survey) -> Spec:
    """Return the spec without the tasks and backbones that its survey left out."""
    if not survey.missing:
        return spec
    tasks = {name: task for name, task in spec.tasks.items() if name in survey.tasks}
    backbones = {name: backbone for name, backbone in spec.backbones.items() if name in survey.backbones}
    return spec.model_copy(update={"tasks": tasks, "backbones": backbones})


def tell_missing(survey: Survey) -> tuple[str, ...]:
    """Return a sentence for each task and backbone that was left out."""
    return tuple(
        f"left out, for it could not be had: {place}: {reason}" for place, reason in survey.missing.items()
    )


def expand(spec: Spec, survey: Survey) -> Plan:
    """Return every task with every backbone of its modality and every arm; the baselines stand first."""
    studies = [
        study
        for task, facts in survey.tasks.items()
        for backbone, found in survey.backbones.items()
        if found.modality == facts.modality
        for study in _studies_of(spec, survey, task, backbone)
    ]
    return Plan(suite=spec.name, survey=survey, studies=_share_followers(studies))


def _share_followers(studies: Sequence[Study]) -> tuple[Study, ...]:
    """Return the studies; those of one content are one, after whose search comes all that any of them asks for."""
    alike: dict[str, list[Study]] = {}
    for study in studies:
        alike.setdefault(study.id, []).append(study)
    return tuple(
        replace(
            study,
            confirm=_join_confirms([each.confirm for each in alike[study.id] if each.confirm is not None]),
            fractions=tuple(sorted({part for each in alike[study.id] for part in each.fractions})),
        )
        for study in studies
    )


def _join_confirms(confirms: Sequence[Confirm]) -> Confirm | None:
    if not confirms:
        return None
    return Confirm(top=max(each.top for each in confirms), repeats=max(each.repeats for each in confirms))


def _studies_of(spec: Spec, survey: Survey, task: str, backbone: str) -> list[Study]:
    facts, found = survey.tasks[task], survey.backbones[backbone]
    protocol = protocol_of(spec, task)
    bench = identify_bench(spec, survey, task, backbone)

    def study(arm: str, kind: Kind, space: Space | None, part: object, outer_fold: int | None) -> Study:
        return Study(
            id=_digest([bench, kind, part] if outer_fold is None else [bench, kind, part, outer_fold]),
            task=task,
            backbone=backbone,
            arm=arm,
            kind=kind,
            space=space,
            trials=_count_trials(space, spec.search.trials),
            repeats=protocol.repeats,
            folds=count_folds_of(spec, survey, task),
            part_ratio=facts.part_ratio,
            higher_is_better=facts.higher_is_better,
            blocks=found.blocks,
            locked=locks_away(protocol),
            outer_fold=outer_fold,
            confirm=None if kind == "baseline" else protocol.confirm,
            fractions=tuple(fraction for fraction in protocol.fractions if fraction < 1),
        )

    search = spec.search.model_dump(exclude={"trials"})

    def search_arm(name: str, kind: Kind, arm: ArmOptions, outer_fold: int | None) -> Study:
        return study(name, kind, resolve_space(arm, found.blocks), [describe_arm(arm), search], outer_fold)

    outer = list_outer(protocol)
    scratch = make_scratch(spec.arms, found.blocks)
    beside = [
        search_arm(name, "control", scratch, fold)
        if name in CONTROLS
        else study(name, "baseline", None, name, fold)
        for name in spec.baselines
        for fold in outer
    ]
    return beside + [search_arm(name, "arm", arm, fold) for name, arm in spec.arms.items() for fold in outer]


def _count_trials(space: Space | None, wanted: int) -> int:
    """Return how many trials a study asks: no more than there are candidates."""
    distinct = count_candidates(space) if space else 1
    return int(min(wanted, distinct)) if math.isfinite(distinct) else wanted


def identify_bench(spec: Spec, survey: Survey, task: str, backbone: str) -> list[object]:
    """Return what every number of a (task, backbone) depends on; names, paths, times and workers are no part of it."""
    own = spec.tasks[task]
    shared = set(TaskOptions.model_fields) - {"type"}
    checkpoint = spec.backbones[backbone]
    return [
        SCHEMA_VERSION,
        spec.seed,
        survey.tasks[task].digest,
        survey.tasks[task].metric,
        survey.tasks[task].labels,
        survey.tasks[task].folds,
        own.model_dump(mode="json", exclude=shared),
        survey.backbones[backbone].digest,
        [checkpoint.pooling, checkpoint.stem],
        # Both only add fits to what was searched; a key that is added to the format later changes no study of today.
        protocol_of(spec, task).model_dump(
            mode="json", exclude={"confirm", "fractions"}, exclude_defaults=True
        ),
        [spec.compute.precision, spec.compute.shelf],
    ]


def describe_arm(arm: ArmOptions) -> dict[str, object]:
    """Return what an arm's numbers depend on, by key, each value as it is written in a spec."""
    described = {
        name: getattr(arm, name)
        for name, field in sorted(type(arm).model_fields.items())
        if name not in ADDED or getattr(arm, name) != field.default
    }
    stopping = described.pop("early_stopping")
    return {name: as_yaml(value) for name, value in described.items()} | {
        "early_stopping": stopping.model_dump() if stopping else None
    }


def _digest(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
