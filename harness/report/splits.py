"""How a comparison was split, in the words of its tasks: their schemes and numbers of folds may differ."""

from __future__ import annotations

from harness.judge.comparison import Comparison


def count_folds(comparison: Comparison) -> str:
    """Return `5 folds`, or what else the tasks have, as in `4 to 7 folds, one for each group`."""
    schemes = {task.scheme for task in comparison.tasks}
    if schemes == {"leave-one-group-out"}:
        return f"{_span(comparison)} folds, one for each group"
    return (
        f"{_span(comparison)} folds forward in time"
        if schemes == {"temporal"}
        else f"{_span(comparison)} folds"
    )


def name_validation(comparison: Comparison) -> str:
    """Return `5-fold cross-validation`, or what else the tasks are validated by."""
    schemes, span = {task.scheme for task in comparison.tasks}, _span(comparison)
    if schemes == {"leave-one-group-out"}:
        return f"leave-one-group-out cross-validation of {span} folds"
    if schemes == {"temporal"}:
        return f"validation forward in time over {span} folds"
    return f"{span}-fold cross-validation" if span.isdecimal() else f"cross-validation of {span} folds"


def _span(comparison: Comparison) -> str:
    """Return the number of folds, or the least and the greatest of the tasks' numbers."""
    folds = sorted({task.folds for task in comparison.tasks}) or [comparison.protocol.folds]
    return f"{folds[0]}" if len(folds) == 1 else f"{folds[0]} to {folds[-1]}"
