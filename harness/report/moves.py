"""What moves a score: the components of each arm's confirmed trials, as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.judge.comparison import Cell
from harness.report import numbers
from harness.report.blocks import Block

EXPLAINED = (
    "score = mean + fold + seed + residual, over the trials that were confirmed on the folds of the search, as "
    "standard deviations. Fold: how hard the folds are. Seed: one trial on one fold, trained again. Residual: what "
    "suits one trial on a fold more than the others. Fits: trials × folds × seeds."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveLine:
    """The components of one arm on one task and backbone."""

    place: str
    arm: str
    mean: str
    fold: str
    seed: str
    residual: str
    fits: str  # trials x folds x seeds


def list_moves(blocks: Sequence[Block]) -> tuple[MoveLine, ...]:
    """Return a line for each arm that was confirmed."""
    return tuple(
        line for block in blocks for cell in block.arms if (line := _show_line(block, cell)) is not None
    )


def _show_line(block: Block, cell: Cell) -> MoveLine | None:
    found, bounds = cell.components, block.task.bounds
    if found is None:
        return None
    return MoveLine(
        place=block.name,
        arm=cell.arm,
        mean=numbers.show_score(found.mean, bounds),
        fold=numbers.show_score(found.fold_sd, bounds),
        seed=numbers.show_score(found.seed_sd, bounds),
        residual=numbers.show_score(found.residual_sd, bounds),
        fits=f"{found.trials} × {found.folds} × {found.seeds}",
    )
