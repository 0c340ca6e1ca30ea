"""Open a bench: read the data, load the checkpoint, encode one for the other."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
import transformers
from torch import nn

from harness import plugins
from harness.candidate import list_depths, resolve_space
from harness.errors import DataError
from harness.examples import Examples, group_keys, name_clusters
from harness.learn.bench import Bench
from harness.learn.folds import count_folds
from harness.learn.kin import find_kin
from harness.learn.shelf import Shelf
from harness.learn.sources import SHELF, Source, find_checkpoint, read_examples, task_type
from harness.modalities import find_modality
from harness.modalities.encoded import Encoded
from harness.model.checkpoint import digest_checkpoint
from harness.model.load import load_pretrained
from harness.model.trunk import Trunk, find_trunk
from harness.plan import protocol_of
from harness.spec.models import Spec
from harness.spec.options import Protocol


def open_bench(source: Source, task: str, backbone: str) -> Bench:
    """Return the bench of one task on one backbone: seconds of work, done once in a worker."""
    spec = source.spec()
    kind = task_type(spec, task)
    target = plugins.find("targets", kind.TARGET)
    examples = read_examples(spec, task, base=source.base)
    labels = target.declare_labels(examples.targets)
    folder = find_checkpoint(spec, backbone, base=source.base, offline=source.offline)
    weights = digest_checkpoint(folder)
    _refuse_change(f"tasks.{task}", "data", dict(source.data).get(task), examples.digest())
    _refuse_change(f"backbones.{backbone}", "checkpoint", dict(source.weights).get(backbone), weights)
    modality = find_modality(kind.MODALITY)
    processor = modality.load_processor(folder, spec.tasks[task], examples.inputs)
    encoded = modality.encode(processor, examples.inputs)
    groups = group_keys(examples)
    model, fresh = load_adapted(folder, kind, labels, processor)
    # Channels last: 0.56 of the CPU time of a step of EfficientNet-Lite0; what has no 2-D convolution stays as it is.
    model = model.to(_choose_device(spec)).eval()
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs do not know it
    trunk = find_trunk(model, fresh=fresh, batch=_sample(encoded, next(model.parameters()).device))
    return Bench(
        examples=examples,
        targets=target.encode(examples.targets, labels),
        labels=labels,
        modality=kind.MODALITY,
        target=target,
        weights=np.ones(len(examples)) if examples.weights is None else np.array(examples.weights),
        groups=groups,
        kin=find_kin(examples, protocol_of(spec, task)),
        clusters=name_clusters(examples, groups),
        encoded=encoded,
        lengths=encoded.lengths if encoded.padding is not None else np.zeros(len(encoded), dtype=np.int64),
        processor=processor,
        model=model,
        fresh=fresh,
        trunk=trunk,
        pristine={name: tensor.clone() for name, tensor in model.state_dict().items()},
        pooling=spec.backbones[backbone].pooling,
        protocol=_count_folds(spec, task, examples),
        compute=spec.compute,
        seed=spec.seed,
        content=_digest_content(weights, spec.compute.precision, encoded),
        identity=examples.digest(),
        stem_frozen=freezes_stem(spec, backbone, kind),
        depths=_list_all_depths(spec, trunk),
        shelf=_open_shelf(spec, source),
    )


def _count_folds(spec: Spec, task: str, examples: Examples) -> Protocol:
    """Return a task's protocol with the number of folds that its data have."""
    protocol, target = protocol_of(spec, task), plugins.find("targets", task_type(spec, task).TARGET)
    targets = target.encode(examples.targets, target.declare_labels(examples.targets))
    classes = targets if target.STRATIFIED else None
    folds = count_folds(examples, group_keys(examples), classes, protocol, seed=spec.seed)
    return protocol.model_copy(update={"folds": folds})


def _refuse_change(place: str, what: str, planned: str | None, found: str) -> None:
    """Raise `DataError` if data or weights are not what the run was planned on: its results must not mix two."""
    if planned is not None and planned != found:
        raise DataError(
            f"{place}: its {what} changed since the run was planned: run the same command again, and what "
            "depends on the change is new"
        )


def load_adapted(
    folder: Path, kind: ModuleType, labels: tuple[str, ...], processor: Any
) -> tuple[nn.Module, frozenset[str]]:
    """Return a task type's model with a head for `labels`, and the names of its newly initialised parameters."""
    modality = find_modality(kind.MODALITY)
    target = plugins.find("targets", kind.TARGET)
    settings = target.head_config(labels) | modality.adapt_config(folder, processor)
    pretrained = load_pretrained(folder, kind.MODEL, **settings)
    modality.adapt_model(pretrained.model, processor)
    return pretrained.model, pretrained.fresh


def _choose_device(spec: Spec) -> torch.device:
    return torch.device("cuda" if spec.compute.gpus_per_worker and torch.cuda.is_available() else "cpu")


def _sample(encoded: Encoded, device: torch.device) -> dict[str, torch.Tensor]:
    return {
        name: tensor.to(device) for name, tensor in encoded.batch(np.arange(min(2, len(encoded)))).items()
    }


def freezes_stem(spec: Spec, backbone: str, kind: ModuleType) -> bool:
    """Say whether depth 0 leaves the stem frozen; speech models' convolutions usually stay as they were."""
    wanted = spec.backbones[backbone].stem
    return kind.MODALITY == "audio" if wanted is None else wanted == "frozen"


def _list_all_depths(spec: Spec, trunk: Trunk) -> tuple[int, ...]:
    """Return every depth at which some arm may freeze: all of them are shelved in one pass."""
    spaces = (resolve_space(arm, trunk.blocks) for arm in spec.arms.values())
    depths = {depth for space in spaces for depth in list_depths(dict(space.values)["freeze_depth"])}
    return tuple(sorted(depths | {trunk.blocks}))


def _open_shelf(spec: Spec, source: Source) -> Shelf | None:
    if spec.compute.shelf == "off":
        return None
    return Shelf(
        source.cache / SHELF,
        dtype=spec.compute.shelf,
        limit_bytes=spec.compute.shelf_bytes,
        lend=source.lend,
    )


def _digest_content(weights: str, precision: str, encoded: Encoded) -> str:
    """Return 16 hex digits that name the weights, every input in its order, and what computes with them."""
    libraries = torch.__version__, transformers.__version__
    digest = hashlib.sha256(f"{(weights, precision, *libraries)}".encode())
    for name, arrays in sorted(encoded.columns.items()):
        digest.update(name.encode())
        for array in arrays:
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]
