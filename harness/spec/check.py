"""What no single value shows: whether the parts of a spec fit each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from types import ModuleType

from harness import plugins
from harness.errors import SpecError, did_you_mean
from harness.spec.choose import reader_of
from harness.spec.models import BASELINES, CONTROLS, Spec
from harness.spec.options import FILES, ArmOptions, Protocol, TaskOptions
from harness.spec.paths import is_folder, resolve_path
from harness.spec.ranges import Choice, Span, as_yaml
from harness.spec.splits import check_splits
from harness.spec.words import Path, dotted, show

NESTED = {"nested", "stratify"}  # the keys of a nested protocol


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong at a path of a spec, said of the key or of its value."""

    path: Path
    message: str
    at_key: bool = False


def check_spec(spec: Spec, checkpoints: Sequence[str] | None) -> tuple[Problem, ...]:
    """Return what does not fit together; every part by itself is known to be right.

    `checkpoints` are the names that may follow `asset:` in a backbone; None accepts any.
    """
    return (
        *(problem for name, task in spec.tasks.items() for problem in _check_task(name, task)),
        *(problem for name, arm in spec.arms.items() for problem in _check_arm(name, arm, spec)),
        *_check_backbones(spec),
        *_check_checkpoints(spec, checkpoints),
        *_check_fractions(spec),
        *_check_suite(spec),
        *_check_nested(spec),
        *(Problem(path, message, at_key=True) for path, message in check_splits(spec)),
    )


def check_paths(spec: Spec, *, base: FilePath, allowed: Sequence[FilePath]) -> tuple[Problem, ...]:
    """Return every path of a spec that leads out of its folder `base` and of the folders `allowed`."""
    roots = (base, *allowed)
    return tuple(
        problem
        for path, text in list_paths(spec, base=base)
        for problem in _check_path(path, text, base, roots)
    )


def list_paths(spec: Spec, *, base: FilePath) -> list[tuple[Path, str]]:
    """Return the keys of a spec in the folder `base` that name files or folders, each with what it names."""
    named: list[tuple[Path, str]] = []
    for name, task in spec.tasks.items():
        for key, field in type(task.data).model_fields.items():
            if FILES in field.metadata:
                named.append((("tasks", name, "data", key), getattr(task.data, key)))
    for name, backbone in spec.backbones.items():
        if is_folder(backbone.model, base):
            named.append((("backbones", name, "model"), backbone.model))
    return named


def _check_path(path: Path, text: str, base: FilePath, roots: Sequence[FilePath]) -> Iterator[Problem]:
    try:
        resolve_path(text, base=base, roots=roots, key=dotted(path))
    except SpecError as error:
        yield Problem(path, str(error))


def _check_task(name: str, task: TaskOptions) -> Iterator[Problem]:
    here: Path = ("tasks", name)
    kind = plugins.find("tasks", task.type)
    yield from _check_metrics(here, task, kind)
    yield from _check_columns((*here, "data"), task, kind)


def _check_metrics(here: Path, task: TaskOptions, kind: ModuleType) -> Iterator[Problem]:
    paths: list[tuple[Path, str]] = [((*here, "metric"), task.metric)] if task.metric else []
    paths += [((*here, "metrics", number), name) for number, name in enumerate(task.metrics)]
    known = plugins.names("metrics")
    fitting = [name for name in known if plugins.find("metrics", name).TARGETS == kind.TARGET]
    for path, name in paths:
        if name not in known:
            hint = did_you_mean(name, fitting) or f" Known: {', '.join(fitting)}."
            yield Problem(path, f"{dotted(path)}: unknown metric {show(name)}.{hint}")
        elif name not in fitting:
            targets = plugins.find("metrics", name).TARGETS
            yield Problem(
                path,
                f"{dotted(path)}: '{name}' measures {targets}, and {task.type} predicts {kind.TARGET}; "
                f"fitting: {', '.join(fitting)}",
            )
    for name in _repeated([name for _, name in paths]):
        yield Problem(here, f"{dotted(here)}: the metric {show(name)} is named twice", at_key=True)


def _check_columns(here: Path, task: TaskOptions, kind: ModuleType) -> Iterator[Problem]:
    data, name = task.data, reader_of(task.data)
    assert name is not None
    reader = plugins.find("readers", name)
    if kind.MODALITY not in reader.MODALITIES:
        gives = " and ".join(reader.MODALITIES)
        message = f"the reader '{name}' gives {gives}, and {task.type} needs {kind.MODALITY}"
        yield Problem((*here, name), f"{dotted(here)}: {message}")
        return
    if reader.COLUMNS and data.label is None:
        yield Problem(here, f"{dotted(here)}: needs the key 'label', the column to be predicted", at_key=True)
    if reader.COLUMNS and kind.MODALITY == "text" and data.text is None:
        yield Problem(here, f"{dotted(here)}: needs the key 'text', the column of the texts", at_key=True)
    if kind.MODALITY != "text" and data.text is not None:
        yield Problem((*here, "text"), f"{dotted((*here, 'text'))}: {task.type} has no texts", at_key=True)
    roles = [
        *(data.text if isinstance(data.text, tuple) else (data.text,)),
        data.label,
        data.id,
        data.group,
        data.weight,
        data.time,
        data.split,
    ]
    for column in _repeated([role for role in roles if role is not None]):
        if column == data.label or roles[:2].count(column) > 1:
            yield Problem(here, f"{dotted(here)}: the column {show(column)} is named twice", at_key=True)


def _check_arm(name: str, arm: ArmOptions, spec: Spec) -> Iterator[Problem]:
    here: Path = ("arms", name)
    if name in (*BASELINES, *CONTROLS):
        yield Problem(here, f"{dotted(here)}: a baseline has this name; choose another", at_key=True)
    yield from _check_class_weights((*here, "class_weights"), arm, spec)
    if spec.search.sampler != "grid":
        return
    for key in type(arm).model_fields:
        value = getattr(arm, key)
        if isinstance(value, Span) and value.scale != "int":
            path = (*here, key)
            yield Problem(
                path,
                f"{dotted(path)}: a grid needs a finite set, {{choice: [...]}} (got {show(as_yaml(value))})",
            )


def _check_class_weights(path: Path, arm: ArmOptions, spec: Spec) -> Iterator[Problem]:
    wanted = arm.class_weights
    if "balanced" not in (wanted.options if isinstance(wanted, Choice) else (wanted,)):
        return
    for name, task in spec.tasks.items():
        target = plugins.find("tasks", task.type).TARGET
        if not plugins.find("targets", target).STRATIFIED:
            yield Problem(
                path,
                f"{dotted(path)}: 'balanced' counts classes, and tasks.{name} predicts {target}: leave it out, or "
                "give that task a suite of its own",
            )


def _check_backbones(spec: Spec) -> Iterator[Problem]:
    for name, backbone in spec.backbones.items():
        here: Path = ("backbones", name)
        if backbone.model in ("", "asset:"):
            path = (*here, "model")
            yield Problem(
                path, f"{dotted(path)} must be asset:NAME, a folder or a hub id (got {show(backbone.model)})"
            )
        if backbone.revision is not None and backbone.model.startswith("asset:"):
            path = (*here, "revision")
            yield Problem(path, f"{dotted(path)}: an asset is pinned and has no revision", at_key=True)


def _check_checkpoints(spec: Spec, known: Sequence[str] | None) -> Iterator[Problem]:
    for name, backbone in spec.backbones.items():
        asset = backbone.model.removeprefix("asset:")
        if known is None or asset in ("", backbone.model) or asset in known:
            continue
        path: Path = ("backbones", name, "model")
        hint = did_you_mean(asset, known) or f" Known: {', '.join(known)}."
        yield Problem(path, f"{dotted(path)}: no checkpoint among the assets is called {show(asset)}.{hint}")


def _check_fractions(spec: Spec) -> Iterator[Problem]:
    protocols: list[tuple[Path, Protocol]] = [(("protocol",), spec.protocol)]
    protocols += [
        (("tasks", name, "protocol"), task.protocol) for name, task in spec.tasks.items() if task.protocol
    ]
    for here, protocol in protocols:
        path, given = (*here, "fractions"), list(protocol.fractions)
        if given != sorted(set(given)):
            rising = ", ".join(f"{fraction:g}" for fraction in sorted(set(given)))
            yield Problem(path, f"{dotted(path)} must rise, each once: [{rising}] (got {show(given)})")
        elif given == [1]:
            yield Problem(
                path, f"{dotted(path)}: everything is fitted by the search; give a fraction below 1"
            )


def _check_suite(spec: Spec) -> Iterator[Problem]:
    for name in _repeated(spec.baselines):
        yield Problem(("baselines",), f"baselines: {show(name)} is named twice")
    minimum, trials = spec.budget.minimum_trials, spec.search.trials
    if minimum > trials:
        message = f"budget.minimum_trials must be at most search.trials, {trials} (got {minimum})"
        yield Problem(("budget", "minimum_trials"), message)


def _check_nested(spec: Spec) -> Iterator[Problem]:
    """A nested protocol has folds of its own: what it replaces must not stand beside it."""
    places: dict[Path, Protocol] = {("protocol",): spec.protocol}
    for name, task in spec.tasks.items():
        if task.protocol is not None:
            places["tasks", name, "protocol"] = task.protocol
    for here, protocol in places.items():
        nested = protocol.nested or ("nested" not in protocol.model_fields_set and spec.protocol.nested)
        for key in sorted(protocol.model_fields_set - NESTED) if nested else ():
            path = (*here, key)
            yield Problem(
                path, f"{dotted(path)} has no meaning in a nested protocol: leave it out", at_key=True
            )
    for name, task in spec.tasks.items():
        own = task.protocol is not None and task.protocol.nested is not None
        if own and spec.protocol.scheme != "kfold":
            here = ("tasks", name, "protocol", "nested")
            yield Problem(
                here,
                f"{dotted(here)}: folds of the suite's '{spec.protocol.scheme}' cannot be nested",
                at_key=True,
            )


def _repeated(words: Sequence[str]) -> list[str]:
    return [word for word, count in Counter(words).items() if count > 1]
