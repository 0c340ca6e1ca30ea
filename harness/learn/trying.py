"""Trying folds: every split that a run will make is made once, before anything trains."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from types import ModuleType

import numpy as np

from harness.errors import DataError
from harness.examples import Examples, group_keys
from harness.learn.folds import count_folds, list_training, split_examples
from harness.learn.kin import Kin, find_kin
from harness.learn.schemes import UNSCORED
from harness.plan import list_outer, locks_away
from harness.spec.options import Protocol
from harness.spec.words import show

NAMED = 5  # classes, and folds of each, that a note names


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """The hash of all fold assignments, and what the data say of the folds where the protocol does not: see
    `TaskFacts`."""

    digest: str
    fold_count: int | None = None
    part_ratio: float | None = None
    notes: tuple[str, ...] = ()


def try_folds(
    examples: Examples, target: ModuleType, labels: tuple[str, ...], protocol: Protocol, *, seed: int
) -> Tried:
    """Return what is found when a task is split; raises `DataError` if a training part is empty or lacks a class."""
    targets, groups = target.encode(examples.targets, labels), group_keys(examples)
    classes = targets if target.STRATIFIED else None
    folds = count_folds(examples, groups, classes, protocol, seed=seed)
    fixed = protocol.scheme != "kfold"  # the folds follow from the data
    counted = protocol.model_copy(update={"folds": folds})
    kin = find_kin(examples, protocol)
    digest = hashlib.sha256()
    confirming = 0 if fixed or protocol.confirm is None else protocol.confirm.repeats
    places = []
    for repeat, outer in product(range(protocol.repeats + confirming), list_outer(protocol)):
        place = split_examples(examples, groups, classes, counted, seed=seed, repeat=repeat, outer_fold=outer)
        for fold in range(folds + locks_away(protocol)):
            rows = list_training(place, fold, folds=folds, kin=kin)
            _check_left(rows, place, fold, kin, folds)
            advised = None if protocol.scheme == "leave-one-group-out" else folds
            target.check_training(targets[rows], labels, folds=advised)
        if repeat < protocol.repeats:  # what confirms is no part of the identity
            digest.update(json.dumps(list(zip(examples.ids, place.tolist(), strict=True))).encode())
            places.append(place)
    notes = tuple(_describe(places[0], kin, folds)) if fixed or protocol.test == "split" else ()
    return Tried(
        digest=digest.hexdigest()[:16],
        fold_count=folds if protocol.scheme == "leave-one-group-out" else None,
        part_ratio=_measure_ratio(places[0], kin, folds) if fixed else None,
        notes=notes + tuple(_describe_absent(places, targets, labels, folds + locks_away(protocol), folds)),
    )


def _check_left(rows: np.ndarray, place: np.ndarray, fold: int, kin: Kin, folds: int) -> None:
    """Raise `DataError` if nothing is left to be trained on."""
    if len(rows):
        return
    what = "what is locked away" if fold == folds else f"fold {fold}"
    scored = np.flatnonzero(place == fold)
    others = np.flatnonzero((place != fold) & (place < folds))
    if not kin.is_old(others, scored).any():
        raise DataError(
            f"no example is older than {what} by the gap of {kin.gap:g}: use a smaller gap, or fewer folds"
        )
    raise DataError(
        f"every example that {what} could be learned from shares a group or its content with it: use fewer folds"
    )


def _measure_ratio(place: np.ndarray, kin: Kin, folds: int) -> float:
    """Return the mean over folds of the number of scored examples to that of trained ones."""
    trained = [len(list_training(place, fold, folds=folds, kin=kin)) for fold in range(folds)]
    scored = [np.count_nonzero(place == fold) for fold in range(folds)]
    return float(np.mean(np.array(scored) / np.array(trained)))


def _describe(place: np.ndarray, kin: Kin, folds: int) -> Iterator[str]:
    """Yield what a person should know of folds that follow from the data."""
    first = np.count_nonzero(place == UNSCORED)
    if first:
        scored = np.count_nonzero((place >= 0) & (place < folds))
        yield f"{scored} examples are scored, each by what is older; the {first} oldest are only trained on"
    related = recent = 0
    for fold in range(int(place.max()) + 1):
        there = np.flatnonzero(place == fold)
        others = np.flatnonzero((place != fold) & (place < folds))
        if kin.times is not None:
            older = others[kin.times[others] < kin.times[there].min()]
            recent += int(np.count_nonzero(~kin.is_old(older, there)))
            others = older[kin.is_old(older, there)]
        related += int(np.count_nonzero(~kin.is_unrelated(others, there)))
    if recent:
        yield f"the gap of {kin.gap:g} leaves {recent} examples out of training parts, counted once for each fold"
    if related:
        yield (
            f"{related} examples are left out of training parts, counted once for each fold: "
            "they share a group or their content with what is scored there"
        )


def _describe_absent(
    places: list[np.ndarray], targets: np.ndarray, labels: tuple[str, ...], parts: int, folds: int
) -> Iterator[str]:
    """Yield which classes some parts that are scored lack; part number `folds` is what is locked away."""
    lacking = {
        label: named
        for index, label in enumerate(labels)
        if (named := _list_parts_without(targets == index, places, parts, folds))
    }
    if not lacking:
        return
    told = [
        f"{show(label)} in {', '.join(named[:NAMED])}"
        + (f" and {len(named) - NAMED} more" if len(named) > NAMED else "")
        for label, named in list(lacking.items())[:NAMED]
    ]
    more = f"; and {len(lacking) - NAMED} more classes" if len(lacking) > NAMED else ""
    yield (
        f"parts that are scored lack a class: {'; '.join(told)}{more}. A metric may be undefined there; the table's is "
        "of all folds together"
    )


def _list_parts_without(members: np.ndarray, places: list[np.ndarray], parts: int, folds: int) -> list[str]:
    """Return the names of the parts that hold none of a class, in any repeat."""
    held = [np.bincount(place[members & (place >= 0)], minlength=parts) for place in places]
    least = np.min(held, axis=0)
    return ["what is locked away" if part == folds else f"fold {part}" for part in np.flatnonzero(least == 0)]
