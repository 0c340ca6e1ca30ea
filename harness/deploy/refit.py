"""Refit a study's winner on all rows of its task."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from statistics import median_low

import numpy as np

from harness.candidate import Candidate
from harness.errors import ModelError
from harness.learn.bench import Bench
from harness.learn.fit import Seeds, fit_candidate, start_passes
from harness.learn.loop import Diverged, OutOfMemory, Passes, compute_logits, repeat_smaller
from harness.learn.opening import open_bench
from harness.learn.seeds import Purpose
from harness.learn.sources import Source
from harness.model.memory import release_memory


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
    """Train the winner on all rows; the model on the returned bench is the result, in eval mode.

    In smaller passes where memory does not suffice, as folds are. Raises `ModelError` where no pass fits, and where the
    training diverges, which it may though no fold did: all rows are more rows.
    """
    bench = open_bench(source, winner.task, winner.backbone)
    rows = np.arange(len(bench.examples))
    candidate = replace(winner.candidate, epochs=winner.epochs, patience=None)
    seeds = Seeds(
        head=bench.derive_seed(Purpose.HEAD),
        order=bench.derive_seed(Purpose.ORDER),
        dropout=bench.derive_seed(Purpose.DROPOUT),
    )
    try:
        repeat_smaller(
            partial(_fit, bench, candidate, rows, seeds),
            start_passes(bench, candidate),
            batch_size=min(candidate.batch_size, len(rows)),
            make_room=release_memory,
        )
    except Diverged as outcome:
        raise ModelError(
            f"{winner.task}: the winner of arm '{winner.arm}' diverges when it is refitted on all rows: {outcome}. "
            "Export another arm with --arm, or search lower learning rates and run the suite again."
        ) from outcome
    except OutOfMemory as outcome:
        raise ModelError(
            f"{winner.task}: the winner of arm '{winner.arm}' cannot be refitted here: {outcome}. "
            "Export on a machine with more memory, or another arm with --arm."
        ) from outcome
    bench.model.eval()
    return bench


def _fit(bench: Bench, candidate: Candidate, rows: np.ndarray, seeds: Seeds, passes: Passes) -> None:
    with fit_candidate(bench, candidate, rows, seeds, passes=passes) as fitted:
        logits = compute_logits(bench.model, fitted.forward, rows, bench.lengths)
    if not np.isfinite(logits).all():
        raise Diverged(f"predictions not finite after {fitted.trained.steps} steps")
