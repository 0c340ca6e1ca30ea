"""Fractions: which of a training part's rows a point of a learning curve sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.errors import DataError
from harness.learn.bench import Bench
from harness.learn.seeds import Purpose, hash_name


def cut_training(bench: Bench, train: np.ndarray, *, repeat: int, fold: int, fraction: float) -> np.ndarray:
    """Return a fraction of a training part's rows, in their order: the same ones whatever is fitted on them.

    Raises `DataError` where a class is absent from so few.
    """
    _, groups = np.unique(bench.groups[train], return_inverse=True)
    stratified = bench.target.STRATIFIED and bench.protocol.stratify is not False
    order = order_groups(
        [bench.examples.ids[row] for row in train],
        groups,
        bench.targets[train] if stratified else None,
        seed=bench.derive_seed(Purpose.FRACTION, repeat, fold),
    )
    rows: np.ndarray = train[np.isin(groups, take_groups(order, np.bincount(groups), fraction))]
    try:
        bench.target.check_training(bench.targets[rows], bench.labels, folds=None)
    except DataError as fault:
        raise DataError(
            f"protocol.fractions: {fraction:g} of a training part, {len(rows)} of {len(train)} rows, is too little: "
            f"{fault}; take `{fraction:g}` out of protocol.fractions, or start with a larger one"
        ) from None
    return rows


def take_groups(order: np.ndarray, sizes: np.ndarray, fraction: float) -> np.ndarray:
    """Return the groups from the start of `order` whose rows come nearest to a fraction of all, at least one group.

    So a smaller fraction lies inside a larger one.
    """
    filled = np.cumsum(sizes[order])
    return order[: int(np.abs(filled - fraction * filled[-1]).argmin()) + 1]


def order_groups(
    ids: Sequence[str], groups: np.ndarray, classes: np.ndarray | None, *, seed: int
) -> np.ndarray:
    """Return the numbers of the groups in an order of which every beginning has class shares like the whole.

    As few groups as are needed for every class to be there stand first; among the others those of each class follow
    each other at even distances, a mixed group counting to its rarest class. What is left open is decided by a hash
    of (seed, first id): not by the order of rows, nor by a library's version. `groups` and `classes` are (rows,)
    int64; classes is None where shares need not be alike.
    """
    kinds = np.zeros(len(ids), dtype=np.int64) if classes is None else classes
    counts = np.zeros((int(groups.max()) + 1, int(kinds.max()) + 1), dtype=np.int64)  # (groups, classes)
    np.add.at(counts, (groups, kinds), 1)
    first: dict[int, str] = {}
    for name, group in sorted(zip(ids, groups.tolist(), strict=True)):
        first.setdefault(group, name)
    drawn = np.array(sorted(first, key=lambda group: hash_name(seed, first[group])))
    opening = _cover_classes(drawn, counts)
    others = drawn[~np.isin(drawn, opening)]
    spots = _space_evenly(np.concatenate([opening, others]), counts)[len(opening) :]
    return np.concatenate([opening, others[np.argsort(spots, kind="stable")]])


def _cover_classes(drawn: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return groups that together have every class, those of the rarest class first."""
    chosen: list[int] = []
    totals = counts.sum(axis=0)
    for kind in np.argsort(totals, kind="stable"):
        if totals[kind] and not counts[chosen, kind].any():
            chosen.append(int(drawn[counts[drawn, kind] > 0][0]))
    return np.array(chosen, dtype=np.int64)


def _space_evenly(drawn: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return a place between 0 and 1 for each drawn group, (groups,): the middle of its rows among those of its class.

    With one row a group this is Webster's method of apportionment, which never takes a seat back when the house grows.
    """
    totals = counts.sum(axis=0)
    rarity = np.where(counts > 0, totals, totals.sum() + 1).argmin(
        axis=1
    )  # (groups,) each one's rarest class
    sizes = counts.sum(axis=1)
    whole = np.bincount(rarity, weights=sizes, minlength=len(totals))
    filled = np.zeros(len(totals))
    spots = np.zeros(len(drawn))
    for place, group in enumerate(drawn):
        spots[place] = (filled[rarity[group]] + sizes[group] / 2) / whole[rarity[group]]
        filled[rarity[group]] += sizes[group]
    return spots
