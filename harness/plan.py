"""Plan: every study that a spec asks for, with an identity that depends on content alone."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from harness.candidate import Space, count_candidates, resolve_space
from harness.examples import Modality
from harness.spec.models import Spec
from harness.spec.options import ArmOptions, Confirm, Protocol, TaskOptions
from harness.spec.ranges import as_yaml

SCHEMA_VERSION = 1  # of results: part of every identity, so that no run mixes two schemas


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One cell of the comparison, task x backbone x arm: what is asked over and over until its trials are spent."""

    id: str
    task: str
    backbone: str
    arm: str
    kind: Literal["arm", "baseline"]
    space: Space | None  # None: a baseline has nothing to search
    trials: int
    repeats: int
    folds: int
    higher_is_better: bool
    blocks: int
    locked: bool = False  # a part of the examples is locked away for the test
    outer_fold: int | None = (
        None  # what is locked away is this fold of a nested protocol; None: it is not nested
    )
    confirm: Confirm | None = None  # None: the winner is chosen by the folds that were searched on

    @property
    def fits(self) -> int:
        """How many fits this study takes if no trial is pruned."""
        return self.trials * self.repeats * self.folds + self.confirming + self.locked

    @property
    def confirming(self) -> int:
        """How many of them confirm the best trials."""
        if self.confirm is None:
            return 0
        return min(self.confirm.top, self.trials) * self.confirm.repeats * self.folds


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All cells of a suite; two cells of one content are one study."""

    suite: str
    survey: Survey
    studies: tuple[Study, ...]


def protocol_of(spec: Spec, task: str) -> Protocol:
    """Return the suite's protocol with the keys replaced that the task gives; a nested one has its inner folds."""
    own = spec.tasks[task].protocol
    given = {} if own is None else {name: getattr(own, name) for name in own.model_fields_set}
    protocol = spec.protocol.model_copy(update=given)
    if protocol.nested is None:
        return protocol
    return Protocol(folds=protocol.nested.inner, stratify=protocol.stratify, nested=protocol.nested)


def list_outer(protocol: Protocol) -> tuple[int | None, ...]:
    """Return the outer folds of a protocol; of one that is not nested None alone."""
    return (None,) if protocol.nested is None else tuple(range(protocol.nested.outer))


def expand(spec: Spec, survey: Survey) -> Plan:
    """Return every task with every backbone of its modality and every arm; the baselines stand first."""
    studies = [
        study
        for task, facts in survey.tasks.items()
        for backbone, found in survey.backbones.items()
        if found.modality == facts.modality
        for study in _studies_of(spec, survey, task, backbone)
    ]
    return Plan(suite=spec.name, survey=survey, studies=tuple(studies))


def _studies_of(spec: Spec, survey: Survey, task: str, backbone: str) -> list[Study]:
    facts, found = survey.tasks[task], survey.backbones[backbone]
    protocol = protocol_of(spec, task)
    bench = _identify_bench(spec, survey, task, backbone)

    def study(
        arm: str, kind: Literal["arm", "baseline"], space: Space | None, part: object, outer_fold: int | None
    ) -> Study:
        distinct = count_candidates(space) if space else 1
        return Study(
            id=_digest([bench, kind, part] if outer_fold is None else [bench, kind, part, outer_fold]),
            task=task,
            backbone=backbone,
            arm=arm,
            kind=kind,
            space=space,
            trials=int(min(spec.search.trials, distinct)) if math.isfinite(distinct) else spec.search.trials,
            repeats=protocol.repeats,
            folds=protocol.folds,
            higher_is_better=facts.higher_is_better,
            blocks=found.blocks,
            locked=protocol.test > 0 or outer_fold is not None,
            outer_fold=outer_fold,
            confirm=protocol.confirm if kind == "arm" else None,
        )

    outer = list_outer(protocol)
    baselines = [study(name, "baseline", None, name, fold) for name in spec.baselines for fold in outer]
    search = spec.search.model_dump(exclude={"trials"})
    arms = [
        study(name, "arm", resolve_space(arm, found.blocks), [_describe_arm(arm), search], fold)
        for name, arm in spec.arms.items()
        for fold in outer
    ]
    return baselines + arms


def _identify_bench(spec: Spec, survey: Survey, task: str, backbone: str) -> list[object]:
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
        protocol_of(spec, task).model_dump(
            mode="json", exclude={"confirm"}, exclude_defaults=True
        ),  # confirming only adds repeats; a key that is added to the format later changes no study of today
        [spec.compute.precision, spec.compute.shelf],
    ]


def _describe_arm(arm: ArmOptions) -> dict[str, object]:
    described = {name: getattr(arm, name) for name in sorted(type(arm).model_fields)}
    stopping = described.pop("early_stopping")
    return {name: as_yaml(value) for name, value in described.items()} | {
        "early_stopping": stopping.model_dump() if stopping else None
    }


def _digest(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
