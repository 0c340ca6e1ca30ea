"""The survey: facts about data and checkpoints, found before anything is planned."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np

from harness import plugins
from harness.errors import HarnessError, ModelError
from harness.examples import Examples, Modality, describe_twins, group_keys
from harness.learn.folds import split_examples
from harness.learn.sources import Source, find_checkpoint, read_examples, task_type
from harness.model.checkpoint import digest_checkpoint
from harness.model.layers import count_blocks
from harness.plan import BackboneFacts, Survey, TaskFacts, protocol_of
from harness.record.files import make_folder, write_whole
from harness.spec.models import Spec

HEADS: dict[Modality, str] = {
    "image": "AutoModelForImageClassification",
    "audio": "AutoModelForAudioClassification",
    "text": "AutoModelForSequenceClassification",
}


def survey_spec(source: Source) -> Survey:
    """Return the facts that a plan needs; raises `DataError` or `ModelError` for what could not be trained on."""
    spec = source.spec()
    folders = {  # first, for a hub that cannot be reached should be said within seconds
        name: find_checkpoint(spec, name, base=source.base, offline=source.offline) for name in spec.backbones
    }
    tasks = {task: survey_task(spec, task, base=source.base) for task in spec.tasks}
    backbones = {name: survey_backbone(folder, source.cache) for name, folder in folders.items()}
    for task, facts in tasks.items():
        if not any(found.modality == facts.modality for found in backbones.values()):
            raise ModelError(
                f"tasks.{task}: no backbone of the spec reads {facts.modality}; "
                f"it has {', '.join(f'{name} ({found.modality})' for name, found in backbones.items())}"
            )
    return Survey(tasks=tasks, backbones=backbones)


def survey_task(spec: Spec, task: str, *, base: Path) -> TaskFacts:
    """Return what a task's data holds, after its folds were tried: every training part must hold every class."""
    kind = task_type(spec, task)
    target = plugins.find("targets", kind.TARGET)
    metric = spec.tasks[task].metric or kind.METRIC
    try:
        examples = read_examples(spec, task, base=base)
        labels = target.declare_labels(examples.targets)
        folds = _try_folds(spec, task, examples, labels)
    except HarnessError as error:
        raise type(error)(f"tasks.{task}: {error}") from error
    return TaskFacts(
        digest=examples.digest(),
        modality=kind.MODALITY,
        examples=len(examples),
        groups=None if examples.groups is None else len(set(examples.groups)),
        labels=labels,
        metric=metric,
        metrics=tuple(dict.fromkeys((metric, *spec.tasks[task].metrics))),
        higher_is_better=plugins.find("metrics", metric).HIGHER_IS_BETTER,
        folds=folds,
        notes=examples.notes + describe_twins(examples),
    )


def survey_backbone(folder: Path, cache: Path) -> BackboneFacts:
    """Return what a checkpoint is; remembered by content, for a second run of a suite should not import torch."""
    digest = digest_checkpoint(folder)
    kept = cache / "backbones" / f"{digest[:32]}-{version('transformers')}.json"
    try:
        return BackboneFacts(**json.loads(kept.read_text()))
    except (OSError, ValueError, TypeError):  # not there, or not whole: found out again
        modality = find_backbone_modality(folder)
        facts = BackboneFacts(digest=digest, modality=modality, blocks=count_blocks(folder, HEADS[modality]))
    make_folder(kept.parent)
    write_whole(kept, json.dumps(asdict(facts)).encode())
    return facts


def find_backbone_modality(folder: Path) -> Modality:
    """Return what a checkpoint reads, by the heads that transformers has for its architecture."""
    from transformers.models.auto import modeling_auto as auto

    architecture = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    known: Iterable[tuple[Modality, object]] = (
        ("image", auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES),
        ("audio", auto.MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES),
        ("text", auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES),
    )
    for modality, heads in known:
        if isinstance(heads, dict) and architecture in heads:
            return modality
    raise ModelError(
        f"{folder}: transformers has no classification head for the architecture '{architecture}': "
        "choose another backbone"
    )


def _try_folds(spec: Spec, task: str, examples: Examples, labels: tuple[str, ...]) -> str:
    """Return the hash of all fold assignments; raises `DataError` if a training part lacks a class."""
    target = plugins.find("targets", task_type(spec, task).TARGET)
    protocol = protocol_of(spec, task)
    targets, groups = target.encode(examples.targets, labels), group_keys(examples)
    classes = targets if target.STRATIFIED else None
    digest = hashlib.sha256()
    for repeat in range(protocol.repeats):
        place = split_examples(examples, groups, classes, protocol, seed=spec.seed, repeat=repeat)
        for fold in range(protocol.folds):
            target.check_training(targets[np.flatnonzero(place != fold)], labels, folds=protocol.folds)
        digest.update(json.dumps(list(zip(examples.ids, place.tolist(), strict=True))).encode())
    return digest.hexdigest()[:16]
