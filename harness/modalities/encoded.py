"""Encoded: examples as the arrays a model reads, one set a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """The model's inputs by name, an array for each row.

    With `padding` the arrays' first axis differs between rows (tokens) and a batch is filled up on the right, each
    input with its own value; without it all rows have one shape and a batch is a stack.
    """

    columns: Mapping[str, Sequence[np.ndarray]]
    padding: Mapping[str, int] | None = None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @property
    def lengths(self) -> np.ndarray:
        """The rows' first axes, (rows,) int64: what a batch is padded to is the longest of its rows."""
        return np.array([len(array) for array in next(iter(self.columns.values()))], dtype=np.int64)

    def batch(self, rows: Sequence[int] | np.ndarray) -> dict[str, torch.Tensor]:
        """Return the model's inputs for some rows, (batch, …) each."""
        if self.padding is None:
            return {
                name: torch.from_numpy(np.stack([arrays[row] for row in rows]))
                for name, arrays in self.columns.items()
            }
        width = max(len(next(iter(self.columns.values()))[row]) for row in rows)
        batch = {}
        for name, arrays in self.columns.items():
            block = np.full((len(rows), width), self.padding[name], dtype=np.int64)
            for place, row in enumerate(rows):
                block[place, : len(arrays[row])] = arrays[row]
            batch[name] = torch.from_numpy(block)  # (batch, tokens)
        return batch
