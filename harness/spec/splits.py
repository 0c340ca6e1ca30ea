"""What a spec says of splits: whether a task's protocol, and the columns it rests on, fit each other."""

from __future__ import annotations

from collections.abc import Iterator

from harness.spec.models import Spec
from harness.spec.options import DataOptions, Protocol, TaskOptions
from harness.spec.words import Path, dotted

Finding = tuple[Path, str]  # a key's path, and what is wrong with it there


def check_splits(spec: Spec) -> Iterator[Finding]:
    """Yield what does not fit: keys that a scheme does not look at, and columns without their key or keys without."""
    yield from _check_protocol(("protocol",), spec.protocol, spec.protocol.scheme)
    for name, task in spec.tasks.items():
        if task.protocol is not None:
            merged = merge_protocol(spec.protocol, task)
            yield from _check_protocol(("tasks", name, "protocol"), task.protocol, merged.scheme)
        yield from _check_columns(("tasks", name, "data"), task.data, merge_protocol(spec.protocol, task))


def merge_protocol(suite: Protocol, task: TaskOptions) -> Protocol:
    """Return the suite's protocol with the keys replaced that the task gives; a nested one has its inner folds.

    The groups of the data count the folds of leave-one-group-out: a number given for other tasks is not kept.
    """
    own = task.protocol
    merged = suite.model_copy(update={key: getattr(own, key) for key in own.model_fields_set} if own else {})
    if merged.nested is not None:
        return Protocol(folds=merged.nested.inner, stratify=merged.stratify, nested=merged.nested)
    if merged.scheme == "leave-one-group-out":
        return merged.model_copy(update={"folds": Protocol().folds})
    return merged


def _check_protocol(here: Path, given: Protocol, scheme: str) -> Iterator[Finding]:
    """Yield the keys given here that mean nothing under the scheme."""
    keys = given.model_fields_set
    if "folds" in keys and scheme == "leave-one-group-out":
        yield _find(here, "folds", "leave-one-group-out has as many folds as there are groups: leave it out")
    if "gap" in keys and scheme != "temporal":
        yield _find(here, "gap", f"only 'scheme: temporal' has a gap, and this is '{scheme}'")
    if given.stratify is True and scheme != "kfold":
        yield _find(here, "stratify", f"folds of '{scheme}' follow from the data: leave it at auto")


def _check_columns(here: Path, data: DataOptions, protocol: Protocol) -> Iterator[Finding]:
    if protocol.scheme == "temporal" and data.time is None:
        yield here, f"{dotted(here)}: needs the key 'time', the column that 'scheme: temporal' orders by"
    if protocol.scheme != "temporal" and data.time is not None:
        yield _find(here, "time", "only 'protocol.scheme: temporal' orders by a time; give both or neither")
    if protocol.test == "split" and data.split is None:
        yield here, f"{dotted(here)}: needs the key 'split', the column that 'protocol.test: split' reads"
    if protocol.test != "split" and data.split is not None:
        yield _find(here, "split", "only 'protocol.test: split' reads this column; give both or neither")


def _find(here: Path, key: str, message: str) -> Finding:
    return (*here, key), f"{dotted((*here, key))}: {message}"
