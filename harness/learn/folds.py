"""Folds: which part of cross-validation each example belongs to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.errors import DataError
from harness.examples import Examples
from harness.learn.kin import Kin
from harness.learn.schemes import chain_forward, leave_groups_out, open_declared, open_oldest
from harness.learn.seeds import Purpose, derive_seed, hash_name
from harness.spec.options import Protocol

TEST_PARTS = 20  # the share that is locked away is a number of these


def split_examples(
    examples: Examples,
    groups: np.ndarray,
    classes: np.ndarray | None,
    protocol: Protocol,
    *,
    seed: int,
    repeat: int,
    outer_fold: int | None = None,
) -> np.ndarray:
    """Return the fold of each example in one repeat, (rows,) int64; `classes` is None where targets are none.

    What is locked away stands behind the last fold, in fold number `protocol.folds`, in every repeat: what is left for
    the test, or the outer fold of a nested protocol. Of leave-one-group-out that must be the number that `count_folds`
    gives. What is only trained on is `UNSCORED`.

    The first repeat beyond those of the protocol, which confirms, has the folds of the first: what differs between the
    two is the training seed alone. Folds that follow from the data are the same in all repeats.
    """
    if repeat == protocol.repeats:
        repeat = 0
    if protocol.stratify is True and classes is None:
        raise DataError("protocol.stratify is true, but what is predicted has no classes: leave it at auto")
    strata = None if protocol.stratify is False else classes
    content = examples.digest()
    place = np.full(len(examples), protocol.folds, dtype=np.int64)
    if protocol.nested is None:
        rows = _list_open(examples, groups, strata, protocol, seed=derive_seed(seed, Purpose.TEST, content))
        numbers = [repeat]
    else:
        assert outer_fold is not None
        outer_seed = derive_seed(seed, Purpose.OUTER, content)
        outer = split_folds(examples.ids, groups, strata, folds=protocol.nested.outer, seed=outer_seed)
        rows = np.flatnonzero(outer != outer_fold)
        numbers = [repeat, outer_fold]
    if protocol.scheme == "leave-one-group-out":
        place[rows] = leave_groups_out(examples.pick(rows.tolist()).groups)
        return place
    if protocol.scheme == "temporal":
        place[rows] = chain_forward(np.array(examples.times)[rows], folds=protocol.folds)
        return place
    place[rows] = split_folds(
        [examples.ids[row] for row in rows],
        np.unique(groups[rows], return_inverse=True)[1],
        None if strata is None else strata[rows],
        folds=protocol.folds,
        seed=derive_seed(seed, Purpose.SPLIT, content, *numbers),
    )
    return place


def count_folds(
    examples: Examples, groups: np.ndarray, classes: np.ndarray | None, protocol: Protocol, *, seed: int
) -> int:
    """Return how many folds a task has: as the protocol says, or one for each group that is not locked away."""
    if protocol.scheme != "leave-one-group-out":
        return protocol.folds
    beyond = protocol.model_copy(update={"folds": len(examples)})  # more than there can be
    place = split_examples(examples, groups, classes, beyond, seed=seed, repeat=0)
    return int(place[place < len(examples)].max()) + 1


def list_training(place: np.ndarray, fold: int, *, folds: int, kin: Kin) -> np.ndarray:
    """Return the rows that a fold is trained on: neither its own, nor those that are locked away, nor kin of its own.

    Of a temporal scheme they are also older than its own.
    """
    others = np.flatnonzero((place != fold) & (place < folds))
    return kin.leave_out(others, np.flatnonzero(place == fold))


def _list_open(
    examples: Examples, groups: np.ndarray, classes: np.ndarray | None, protocol: Protocol, *, seed: int
) -> np.ndarray:
    """Return the rows that are not locked away for the test."""
    times = np.array(examples.times) if protocol.scheme == "temporal" else None
    if protocol.test == "split":
        return open_declared(examples, times)
    if protocol.test and times is not None:
        return open_oldest(times, share=protocol.test)
    return _leave_open(examples.ids, groups, classes, share=protocol.test, seed=seed)


def _leave_open(
    ids: Sequence[str], groups: np.ndarray, classes: np.ndarray | None, *, share: float, seed: int
) -> np.ndarray:
    """Return the rows that are not locked away, in whole groups and with like class shares."""
    if not share:
        return np.arange(len(ids))
    parts = min(TEST_PARTS, int(groups.max()) + 1)
    if parts < 2:
        raise DataError(
            "one group cannot be split into what is open and what protocol.test locks away: use test 0"
        )
    part = split_folds(ids, groups, classes, folds=parts, seed=seed)
    return np.flatnonzero(part >= max(1, round(share * parts)))


def split_folds(
    ids: Sequence[str], groups: np.ndarray, classes: np.ndarray | None, *, folds: int, seed: int
) -> np.ndarray:
    """Return the fold of each row, (rows,) int64; groups stay whole and class shares stay alike.

    Groups are dealt out from the largest to the smallest, equals in the order of a hash of (seed, first id); each
    goes to the fold that has the smallest share of the group's classes, then to the smallest fold. So the result
    depends on ids, groups, classes and seed alone: not on the order of rows, nor on a library's version.
    `groups` and `classes` are (rows,) int64; without classes only sizes are balanced.
    """
    kinds = np.zeros(len(ids), dtype=np.int64) if classes is None else classes
    counts = np.zeros((int(groups.max()) + 1, int(kinds.max()) + 1))  # (groups, classes)
    np.add.at(counts, (groups, kinds), 1)
    _check(counts, folds)
    first: dict[int, str] = {}
    for name, group in sorted(zip(ids, groups.tolist(), strict=True)):
        first.setdefault(group, name)
    order = sorted(first, key=lambda group: (-counts[group].sum(), hash_name(seed, first[group])))
    totals = np.maximum(counts.sum(axis=0), 1)  # a label may have no row here
    filled = np.zeros((folds, counts.shape[1]))
    place = np.zeros(len(counts), dtype=np.int64)
    for group in order:
        crowding = (filled * (counts[group] / totals**2)).sum(axis=1)
        place[group] = np.lexsort((filled.sum(axis=1), np.round(crowding, 12)))[0]
        filled[place[group]] += counts[group]
    folded: np.ndarray = place[groups]
    return folded


def _check(counts: np.ndarray, folds: int) -> None:
    """Raise `DataError` if there are fewer groups than folds, naming the largest number of folds that works."""
    if len(counts) < folds:
        advice = f"use at most {len(counts)} folds" if len(counts) > 1 else "give more groups"
        raise DataError(f"{len(counts)} groups cannot make {folds} folds: {advice}")
