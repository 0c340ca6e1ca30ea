"""Winner: the cell of a comparison that a task is won by."""

from __future__ import annotations

from harness.errors import SpecError, did_you_mean
from harness.judge.comparison import Cell, Comparison


def choose_cell(comparison: Comparison, task: str, arm: str | None) -> Cell:
    """Return a task's best cell among the arms, or among one arm's; raises `SpecError` where there is none."""
    tasks = {compared.name: compared for compared in comparison.tasks}
    if task not in tasks:
        raise SpecError(
            f"the run has no task '{task}'.{did_you_mean(task, list(tasks))} It has {', '.join(tasks)}."
        )
    cells = [cell for cell in comparison.cells if cell.task == task and cell.kind == "arm"]
    arms = sorted({cell.arm for cell in cells})
    if arm is not None and arm not in arms:
        raise SpecError(f"the run has no arm '{arm}'.{did_you_mean(arm, arms)} It has {', '.join(arms)}.")
    scored = [cell for cell in cells if cell.score is not None and arm in (None, cell.arm)]
    if not scored:
        raise SpecError(f"{task}: no arm has a complete trial yet: `harness run` the suite first")
    if all(cell.trial is None for cell in scored):
        raise SpecError(
            f"{task}: a nested protocol compares searches and leaves no single model: run the task without "
            "`nested` to have one"
        )
    sign = 1 if tasks[task].higher_is_better else -1
    return max(scored, key=lambda cell: sign * (cell.score or 0.0))
