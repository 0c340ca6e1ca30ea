"""The survey: facts about data and checkpoints, found before anything is planned."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

from harness import plugins
from harness.credentials import redact
from harness.errors import EnvironmentFault, HarnessError, ModelError
from harness.examples import Examples, Modality, describe_twins, digest_content
from harness.learn.likeness import describe_likeness
from harness.learn.sources import Source, find_checkpoint, read_examples, task_type
from harness.learn.trying import try_folds
from harness.model.checkpoint import digest_checkpoint, require_tokenizer
from harness.model.companions import list_companions
from harness.model.layers import count_blocks
from harness.plan import BackboneFacts, Survey, TaskFacts, protocol_of
from harness.record.files import make_folder, write_whole
from harness.spec.models import Spec

BY_MODALITY: tuple[Modality, ...] = (
    "image",
    "audio",
    "text",
)  # what reads several is seldom meant for its text
Keep = Callable[[str, Examples], None]
"""Is given each task's examples as they are read."""


def survey_spec(source: Source, *, keep: Keep = lambda task, rows: None) -> Survey:
    """Return the facts that a plan needs; raises `DataError` or `ModelError` for what could not be trained on.

    `keep` is given each task's examples, which are read here and nowhere else before a bench opens.
    """
    return _survey(source, keep, lambda place: nullcontext())


def survey_present(source: Source, *, keep: Keep = lambda task, rows: None) -> Survey:
    """Return the facts about what can be had, and why each other task and backbone is left out.

    `keep` is as for `survey_spec`. Raises `EnvironmentFault` with all reasons where no task is left.
    """
    missing: dict[str, str] = {}
    survey = _survey(source, keep, partial(_leave_out, missing))
    tasks = {name: facts for name, facts in survey.tasks.items() if f"tasks.{name}" not in missing}
    if not tasks:
        reasons = "".join(f"\n{place}: {reason}" for place, reason in missing.items())
        raise EnvironmentFault(f"no task is left that could be run:{reasons}")
    return replace(survey, tasks=tasks, missing=missing)


@contextmanager
def _leave_out(missing: dict[str, str], place: str) -> Iterator[None]:
    """Keep in `missing` why something could not be had."""
    try:
        yield
    except EnvironmentFault as fault:
        missing[place] = redact(" ".join(str(fault).removeprefix(f"{place}: ").split()))


def _survey(source: Source, keep: Keep, at: Callable[[str], AbstractContextManager[None]]) -> Survey:
    """Return the facts about all that `at(place)` lets nothing be raised of."""
    spec = source.spec()
    folders: dict[str, Path] = {}
    tasks: dict[str, TaskFacts] = {}
    backbones: dict[str, BackboneFacts] = {}
    for name in spec.backbones:  # first, for a hub that cannot be reached should be said within seconds
        with at(f"backbones.{name}"):
            folders[name] = find_checkpoint(spec, name, base=source.base, offline=source.offline)
    for task in spec.tasks:
        with at(f"tasks.{task}"):
            tasks[task] = survey_task(spec, task, base=source.base, keep=keep)
    for name, folder in folders.items():
        with at(f"backbones.{name}"):
            backbones[name] = survey_backbone(folder, source.cache, here=spec.compute.address == "local")
            if backbones[name].modality == "text":
                require_tokenizer(folder)
    for task, facts in tasks.items():
        with at(f"tasks.{task}"):
            _require_backbone(task, facts, backbones)
    return Survey(tasks=tasks, backbones=backbones)


def _require_backbone(task: str, facts: TaskFacts, backbones: Mapping[str, BackboneFacts]) -> None:
    if any(found.modality == facts.modality for found in backbones.values()):
        return
    there = ", ".join(f"{name} ({found.modality})" for name, found in backbones.items())
    raise ModelError(
        f"tasks.{task}: no backbone of the spec reads {facts.modality}; it has {there or 'none that is here'}"
    )


def survey_task(spec: Spec, task: str, *, base: Path, keep: Keep = lambda task, rows: None) -> TaskFacts:
    """Return what a task's data holds, after its folds were tried: every training part must hold every class."""
    kind = task_type(spec, task)
    target = plugins.find("targets", kind.TARGET)
    metric = spec.tasks[task].metric or kind.METRIC
    try:
        examples = read_examples(spec, task, base=base)
        labels = target.declare_labels(examples.targets)
        tried = try_folds(examples, target, labels, protocol_of(spec, task), seed=spec.seed)
    except HarnessError as error:
        raise type(error)(f"tasks.{task}: {error}") from error
    keep(task, examples)
    return TaskFacts(
        digest=examples.digest(),
        modality=kind.MODALITY,
        examples=len(examples),
        groups=None if examples.groups is None else len(set(examples.groups)),
        labels=labels,
        metric=metric,
        metrics=tuple(dict.fromkeys((metric, *spec.tasks[task].metrics))),
        higher_is_better=plugins.find("metrics", metric).HIGHER_IS_BETTER,
        folds=tried.digest,
        notes=tuple(
            map(redact, examples.notes + describe_twins(examples) + describe_likeness(examples) + tried.notes)
        ),
        fold_count=tried.fold_count,
        part_ratio=tried.part_ratio,
        content=digest_content(examples),
    )


def survey_backbone(folder: Path, cache: Path, *, here: bool = True) -> BackboneFacts:
    """Return what a checkpoint is; remembered by content, for a second run of a suite should not import torch."""
    digest = digest_checkpoint(folder)
    # What was not tried beside the companions that are here now is tried: a broken one is to be told before training.
    known = "-".join((digest[:32], version("transformers"), *list_companions()))
    kept = cache / "backbones" / f"{known}.json"
    try:
        return BackboneFacts(**json.loads(kept.read_text()))
    except (OSError, ValueError, TypeError):  # not there, or not whole: found out again
        modality, head = find_head(folder)
        facts = BackboneFacts(digest=digest, modality=modality, blocks=count_blocks(folder, head, here=here))
    make_folder(kept.parent)
    write_whole(kept, json.dumps(asdict(facts)).encode())
    return facts


def find_head(folder: Path) -> tuple[Modality, str]:
    """Return what a checkpoint reads and an Auto class that loads it, of those that the task types name.

    Raises `ModelError` where no task type has a head for its architecture.
    """
    from transformers.models.auto import modeling_auto

    architecture = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    kinds = [plugins.find("tasks", name) for name in plugins.names("tasks")]
    for modality in BY_MODALITY:
        for head in sorted({kind.MODEL for kind in kinds if modality == kind.MODALITY}):
            # The mapping of an Auto class is private; its public twins are constants whose names follow no rule.
            if architecture in getattr(modeling_auto, head)._model_mapping._model_mapping:
                return modality, head
    raise ModelError(
        f"{folder}: transformers has no classification head for the architecture '{architecture}': "
        "choose another backbone"
    )
