"""Leak: what a random split credits to a model that groups left out do not, on the same examples."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Final

import numpy as np

from harness.judge.answers import CANNOT_TELL, show_change
from harness.judge.comparison import Cell, ComparedTask, Verdict
from harness.judge.evidence import ENOUGH_SHARED, Evidence, Measure, share_rows, take_rows, weigh
from harness.judge.pairs import find_rope
from harness.judge.stats import bootstrap_difference
from harness.plan import TaskFacts
from harness.spec.options import Protocol, TaskOptions

QUESTION: Final = "does the split leak?"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Both:
    """The best trial of one arm under either split, on the examples that both score."""

    arm: str
    difference: float  # positive: the random split flatters
    low: float
    high: float
    mixed: float  # the score on the random split
    grouped: float
    groups: int
    rope: float


def name_substance(facts: TaskFacts, options: TaskOptions, protocol: Protocol) -> str:
    """Return what two tasks share that differ in nothing but ids, groups and which rows share a fold; empty: not known.

    What a score owes to more repeats, to a locked test or to nesting must not count as a leak.
    """
    if not facts.content:
        return ""
    own = options.model_dump(mode="json", exclude=set(TaskOptions.model_fields) - {"type"})
    splits = [
        facts.fold_count or protocol.folds,
        protocol.repeats,
        protocol.test,
        protocol.nested is not None,
    ]
    return json.dumps([facts.content, facts.metric, own, splits], sort_keys=True)


def find_leaks(
    cells: Sequence[Cell], tasks: Sequence[ComparedTask], measures: Mapping[str, Measure | None]
) -> tuple[Verdict, ...]:
    """Return an answer for every task whose examples are mixed at random where another task keeps their groups whole.

    Of each backbone the arm is asked that is best with groups left out.
    """
    blocks: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.kind == "arm" and cell.score is not None and cell.evidence is not None:
            blocks[cell.task, cell.backbone].append(cell)
    return tuple(
        _answer(mixed, grouped, own, block, measure)
        for mixed, grouped in _match(tasks)
        if (measure := measures[mixed.name]) is not None
        for (task, backbone), block in blocks.items()
        if task == grouped.name and (own := blocks.get((mixed.name, backbone)))
    )


def _match(tasks: Sequence[ComparedTask]) -> Iterator[tuple[ComparedTask, ComparedTask]]:
    """Yield pairs of tasks that ask one question of the same examples, mixed in the first, grouped in the second."""
    for mixed, grouped in permutations(tasks, 2):
        same = mixed.substance and mixed.substance == grouped.substance
        dealt = mixed.scheme == "kfold" and grouped.scheme != "temporal"
        if same and dealt and _is_loose(mixed) and not _is_loose(grouped):
            yield mixed, grouped


def _is_loose(task: ComparedTask) -> bool:
    """Say whether nothing keeps examples together: an example's own id may be called its group."""
    return task.groups is None or task.groups == task.examples


def _answer(
    mixed: ComparedTask, grouped: ComparedTask, own: Sequence[Cell], block: Sequence[Cell], measure: Measure
) -> Verdict:
    both = _compare(grouped, own, block, measure)
    if isinstance(both, str):
        return Verdict(
            question=QUESTION,
            task=mixed.name,
            backbone=block[0].backbone,
            answer=CANNOT_TELL,
            sentence=f"{CANNOT_TELL}: {both}",
        )
    answer = "no" if both.high < both.rope else "yes" if both.low > 0 else CANNOT_TELL
    return Verdict(
        question=QUESTION,
        task=mixed.name,
        backbone=block[0].backbone,
        answer=answer,
        sentence=f"{answer}: {_explain(answer, both, grouped)}",
        difference=both.difference,
        low=both.low,
        high=both.high,
    )


def _explain(answer: str, both: _Both, grouped: ComparedTask) -> str:
    gained = show_change(both.difference, both.low, both.high)
    meaning = {
        "yes": f"{gained} comes of knowing the groups and is gone with new ones: report '{grouped.name}'",
        "no": f"{gained} is less than a point: what is learned holds for new groups",
        CANNOT_TELL: f"{gained} may be chance, with so few groups: report '{grouped.name}' to be safe",
    }
    return (
        f"the best trial of {both.arm} scores a raw {both.mixed:.3f} {grouped.metric} on examples mixed at random and "
        f"{both.grouped:.3f} with whole groups left out, {both.groups} of them: {meaning[answer]}"
    )


def _compare(task: ComparedTask, own: Sequence[Cell], block: Sequence[Cell], measure: Measure) -> _Both | str:
    """Return both scores of the arm that is best with groups left out, or why they cannot be compared."""
    sign = 1 if task.higher_is_better else -1
    grouped = max(block, key=lambda cell: sign * (cell.score or 0.0))
    mixed = next((cell for cell in own if cell.arm == grouped.arm), None)
    if mixed is None:
        return f"{grouped.arm} has no score on examples mixed at random"
    assert mixed.evidence is not None
    assert grouped.evidence is not None
    rows = share_rows(mixed.evidence, grouped.evidence)
    # Fewer where two locked tests open different parts of the same data.
    if len(rows[0]) < ENOUGH_SHARED * len(grouped.evidence.ids):
        return f"'{task.name}' calls its examples otherwise: name the same column `id` in both tasks"
    ours, theirs = take_rows(mixed.evidence, rows[0]), take_rows(grouped.evidence, rows[1])
    return _measure(grouped.arm, ours, theirs, task, measure)


def _measure(
    arm: str, mixed: Evidence, grouped: Evidence, task: ComparedTask, measure: Measure
) -> _Both | str:
    """Bootstrap the difference over whole groups, the same bags for both."""
    score = weigh(measure.score, grouped)
    sign = 1 if task.higher_is_better else -1
    (before,), (after,) = grouped.predictions, mixed.predictions
    found = bootstrap_difference(before, after, grouped.targets, score, groups=grouped.groups)
    ones = np.ones(len(grouped.targets))
    scores = np.array([score(after, grouped.targets, ones), score(before, grouped.targets, ones)])
    low, high = sorted((sign * found.low, sign * found.high))
    if not np.isfinite([*scores, low, high]).all():
        return f"{task.metric} is undefined on what both score"
    return _Both(
        arm=arm,
        difference=sign * found.difference,
        low=low,
        high=high,
        mixed=float(scores[0]),
        grouped=float(scores[1]),
        groups=len(set(grouped.groups or ())),
        rope=find_rope(scores, task.bounds),
    )
