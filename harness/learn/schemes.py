"""Schemes: folds that follow from the data, by group or by time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.errors import DataError
from harness.examples import Examples

MOST_GROUPS = 100  # as many folds as `protocol.folds` may ask for
UNSCORED = -1  # the fold of what is trained on and never scored


def leave_groups_out(groups: Sequence[str] | None) -> np.ndarray:
    """Return the fold of each row, (rows,) int64: one for each group, in the order of their names."""
    if groups is None:
        raise DataError("leave-one-group-out needs groups: name their column in the data's `group`")
    names, fold = np.unique(np.array(groups), return_inverse=True)
    if len(names) < 2:
        raise DataError(f"leave-one-group-out needs two groups, and there is only '{names[0]}'")
    if len(names) > MOST_GROUPS:
        raise DataError(
            f"leave-one-group-out would make {len(names)} folds, one for each group; it takes at most {MOST_GROUPS}: "
            "use scheme kfold, which keeps groups whole too"
        )
    return fold.astype(np.int64)


def chain_forward(times: np.ndarray, *, folds: int) -> np.ndarray:
    """Return the fold of each row, (rows,) int64, by time; the oldest part is `UNSCORED`."""
    distinct = len(np.unique(times))
    if distinct <= folds:
        advice = f"use at most {distinct - 1} folds" if distinct > 2 else "give finer times"
        raise DataError(f"{distinct} distinct times cannot make {folds + 1} parts: {advice}")
    return cut_times(times, [len(times) * part / (folds + 1) for part in range(1, folds + 1)]) - 1


def cut_times(times: np.ndarray, bounds: Sequence[float]) -> np.ndarray:
    """Return the part of each row, (rows,) int64, from the oldest; equal times are never parted.

    `bounds` say how many rows are to lie before each cut; each cut stands as near to its own as whole times allow, and
    every part has a row.
    """
    known, counts = np.unique(times, return_counts=True)
    ends = np.cumsum(counts)  # how many rows are no later than each time
    cuts: list[int] = []
    for number, bound in enumerate(bounds):
        first = cuts[-1] + 1 if cuts else 0
        behind = len(known) - 1 - (len(bounds) - number)  # every later part needs a time of its own
        cuts.append(first + int(np.abs(ends[first : behind + 1] - bound).argmin()))
    return np.searchsorted(known[cuts], times, side="left").astype(np.int64)


def open_oldest(times: np.ndarray, *, share: float) -> np.ndarray:
    """Return the rows that are not locked away where the latest share of them is."""
    if len(np.unique(times)) < 2:
        raise DataError("all examples have one time: protocol.test can lock no later ones away")
    return np.flatnonzero(cut_times(times, [len(times) * (1 - share)]) == 0)


def open_declared(examples: Examples, times: np.ndarray | None) -> np.ndarray:
    """Return the rows that the source does not call test; raises `DataError` where a test on the others means nothing.

    A group on both sides is an error, not left out: whether the groups or the split are right, only a person knows, and
    the score of a known split should not be that of a smaller training part which nobody asked for.
    """
    assert examples.locked is not None
    locked = np.array(examples.locked)
    if examples.groups is not None:
        names = np.array(examples.groups)
        both = np.intersect1d(names[locked], names[~locked])
        if len(both):
            raise DataError(
                f"{_count(len(both), 'group')} on both sides of the split, such as "
                f"{' and '.join(map(repr, both[:2].tolist()))}: correct the column `split`, or name no `group`"
            )
    if times is not None and times[~locked].max() >= times[locked].min():
        late, early = (
            np.flatnonzero(side)[place]
            for side, place in (
                (~locked, int(times[~locked].argmax())),
                (locked, int(times[locked].argmin())),
            )
        )
        raise DataError(
            f"scheme temporal needs a test that is later than all else, and train row {examples.ids[late]} is not "
            f"older than test row {examples.ids[early]}: correct the split, or lock a share away"
        )
    return np.flatnonzero(~locked)


def _count(number: int, noun: str) -> str:
    return f"1 {noun} is" if number == 1 else f"{number} {noun}s are"
