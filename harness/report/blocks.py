"""Block: the cells of one task on one backbone, which are compared with each other."""

from __future__ import annotations

from dataclasses import dataclass

from harness.judge.comparison import Cell, ComparedTask, Comparison
from harness.report.rows import has_several_backbones


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A task on a backbone: its arms in the order of the ranking, its baselines, controls among them, in the plan's."""

    task: ComparedTask
    backbone: str
    name: str  # the task's, with the backbone's where a task has several
    arms: tuple[Cell, ...]
    baselines: tuple[Cell, ...]


def list_blocks(comparison: Comparison) -> list[Block]:
    """Return the blocks of a comparison, task by task."""
    order = {row.arm: place for place, row in enumerate(comparison.ranking.rows)}
    several = has_several_backbones(comparison)
    blocks = []
    for task in comparison.tasks:
        own = [cell for cell in comparison.cells if cell.task == task.name]
        for backbone in dict.fromkeys(cell.backbone for cell in own):
            cells = [cell for cell in own if cell.backbone == backbone]
            arms = [cell for cell in cells if cell.kind == "arm"]
            arms.sort(key=lambda cell: order.get(cell.arm, len(order)))
            blocks.append(
                Block(
                    task=task,
                    backbone=backbone,
                    name=f"{task.name} on {backbone}" if several else task.name,
                    arms=tuple(arms),
                    baselines=tuple(cell for cell in cells if cell.kind != "arm"),
                )
            )
    return blocks


def find_winners(comparison: Comparison) -> frozenset[tuple[str, str, str]]:
    """Return (task, backbone, arm) of the arms that are better than every other arm they were compared with."""
    ahead: dict[tuple[str, str, str], bool] = {}
    for pair in comparison.pairs:
        for arm in (pair.first, pair.second):
            key = (pair.task, pair.backbone, arm)
            ahead[key] = ahead.get(key, True) and pair.winner == arm
    return frozenset(key for key, always in ahead.items() if always)
