"""Refit a study's winner on all rows of its task."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import median_low

import numpy as np

from harness.candidate import Candidate
from harness.learn.bench import Bench
from harness.learn.fit import Seeds, fit_candidate
from harness.learn.opening import open_bench
from harness.learn.seeds import Purpose
from harness.learn.sources import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Winner:
    """What is refitted: a cell's best candidate, and how many epochs each of its folds took."""

    task: str
    backbone: str
    arm: str
    candidate: Candidate
    fold_epochs: tuple[int, ...]

    @property
    def epochs(self) -> int:
        """The median over folds; of an even number of folds the lower one, for fewer epochs overfit less."""
        return median_low(self.fold_epochs)


def refit_winner(source: Source, winner: Winner) -> Bench:
    """Train the winner on all rows; the model on the returned bench is the result, in eval mode."""
    bench = open_bench(source, winner.task, winner.backbone)
    rows = np.arange(len(bench.examples))
    candidate = replace(winner.candidate, epochs=winner.epochs, patience=None)
    seeds = Seeds(
        head=bench.derive_seed(Purpose.HEAD),
        order=bench.derive_seed(Purpose.ORDER),
        dropout=bench.derive_seed(Purpose.DROPOUT),
    )
    with fit_candidate(bench, candidate, rows, seeds):
        pass
    bench.model.eval()
    return bench
