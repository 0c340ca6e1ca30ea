"""Kin: what no training part may hold beside what it is scored on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.examples import Examples, content_keys
from harness.spec.options import Protocol


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kin:
    """The content, group and time of each row, (rows,): what ties it to rows of other folds.

    Folds that are dealt out keep all of this together, and nothing is left out of their training parts. Folds that
    follow from the data, by time, by group alone or by a column of the source, may part rows of one content or group.
    """

    contents: np.ndarray  # int64
    groups: np.ndarray | None  # int64; None: the examples have no groups
    times: np.ndarray | None  # float64; None: no fold follows from a time
    gap: float

    def leave_out(self, rows: np.ndarray, scored: np.ndarray) -> np.ndarray:
        """Return the rows that may be trained on: without kin of what is scored, and old enough."""
        kept: np.ndarray = rows[self.is_unrelated(rows, scored) & self.is_old(rows, scored)]
        return kept

    def is_unrelated(self, rows: np.ndarray, scored: np.ndarray) -> np.ndarray:
        """Say of each row whether neither its content nor its group is one of those scored, (rows,) bool."""
        apart: np.ndarray = ~np.isin(self.contents[rows], self.contents[scored])
        if self.groups is not None:
            apart &= ~np.isin(self.groups[rows], self.groups[scored])
        return apart

    def is_old(self, rows: np.ndarray, scored: np.ndarray) -> np.ndarray:
        """Say of each row whether it is older than all that is scored, by the gap at least, (rows,) bool."""
        if self.times is None or not len(scored):
            return np.ones(len(rows), dtype=bool)
        oldest = self.times[scored].min()
        old: np.ndarray = (self.times[rows] < oldest) & (self.times[rows] <= oldest - self.gap)
        return old


def find_kin(examples: Examples, protocol: Protocol) -> Kin:
    """Return what ties the rows of a task to each other."""
    names = examples.groups
    times = np.array(examples.times) if protocol.scheme == "temporal" else None
    return Kin(
        contents=content_keys(examples),
        groups=None if names is None else np.unique(np.array(names), return_inverse=True)[1],
        times=times,
        gap=protocol.gap,
    )
