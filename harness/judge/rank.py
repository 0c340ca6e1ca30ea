"""Rank: the arms of a suite by their cells."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from harness.examples import Modality
from harness.judge.budgets import tell_budgets, weigh_budgets
from harness.judge.cells import build_cell
from harness.judge.classes import ClassTable, tabulate_classes
from harness.judge.comparison import Cell, ComparedTask, Comparison, Pair, Ranking
from harness.judge.evidence import Measure, Read
from harness.judge.leak import find_leaks
from harness.judge.locked_pairs import pair_locked
from harness.judge.memory import Memory
from harness.judge.nested import build_nested_cell
from harness.judge.pairs import pair_cells
from harness.judge.ranking import Scored, rank_blocks
from harness.judge.tasks import describe_task, find_measure
from harness.judge.verdicts import find_best_arm, reach_verdicts
from harness.plan import Plan, Study, protocol_of, tell_missing
from harness.record.history import History
from harness.spec.models import Spec

CORRECTED = (
    "A score is the metric on pooled out-of-fold predictions, corrected for having chosen the best of an arm's trials "
    "(BBC-CV, 500 bags), with the 95 % interval of the bags; optimism is what the best trial's own score adds."
)

NESTED = (
    "The scores of {} are nested: in each outer fold a full search chose a winner, the metric is that of all winners "
    "on the folds they never saw, and optimism is what the searches said of themselves beyond that."
)


def compare_arms(
    plan: Plan,
    history: History,
    spec: Spec,
    *,
    read: Read = lambda fold: None,
    memory: Memory | None = None,
) -> Comparison:
    """Return the comparison of a plan's cells, from what the ledger says and the predictions that `read` gives.

    What `memory` knows is not computed again (None: it knows nothing).

    Nothing is imputed: a cell without a complete trial is missing. Renaming or reordering tasks, backbones,
    arms or lines of the ledger changes no number.
    """
    tasks = {name: describe_task(plan, spec, name) for name in plan.survey.tasks}
    measures = {name: find_measure(plan, spec, name) for name in plan.survey.tasks}
    cells = share_chances(
        _merge_outer(plan, judge_studies(plan, history, spec, read=read, memory=memory), history, spec, read),
        tasks,
    )
    pairs = pair_arms(cells, tasks)
    ranking = count_wins(rank_cells(cells, tuple(tasks.values())), pairs)
    nested = {name for name in tasks if protocol_of(spec, name).nested is not None}
    corrected = [CORRECTED] if any(cell.optimism for cell in cells if cell.task not in nested) else []
    trials = {study.id: history.of(study.id) for study in plan.studies}
    budgets = weigh_budgets(plan.studies, trials, asked=spec.search.trials)
    return Comparison(
        suite=plan.suite,
        protocol=spec.protocol,
        tasks=tuple(tasks.values()),
        cells=cells,
        pairs=pairs,
        locked_pairs=pair_locked(cells, tasks, measures),
        ranking=ranking,
        backbones=rank_backbones(cells, tuple(tasks.values())),
        verdicts=(
            *reach_verdicts(cells, tuple(tasks.values())),
            *find_leaks(cells, tuple(tasks.values()), measures),
        ),
        classes=tabulate_best(cells, tasks, measures),
        budgets=budgets,
        notes=(
            *tell_missing(plan.survey),
            *corrected,
            *map(NESTED.format, sorted(nested)),
            *ranking.notes,
            *tell_budgets(budgets, plan.studies),
            *history.damage,
        ),
    )


def judge_studies(
    plan: Plan,
    history: History,
    spec: Spec,
    *,
    read: Read = lambda fold: None,
    memory: Memory | None = None,
) -> tuple[Cell, ...]:
    """Return the cell of every study of a plan: of a nested protocol one for each outer fold's search."""
    measures = {name: find_measure(plan, spec, name) for name in plan.survey.tasks}
    return tuple(
        build_cell(study, history.of(study.id), measures[study.task], read, memory) for study in plan.studies
    )


def find_best_trial(
    plan: Plan, study: Study, history: History, spec: Spec, *, read: Read, memory: Memory | None = None
) -> int | None:
    """Return the trial that a study's cell is described by, None where it has none."""
    measure = find_measure(plan, spec, study.task)
    return build_cell(study, history.of(study.id), measure, read, memory).trial


def rank_cells(cells: Sequence[Cell], tasks: Sequence[ComparedTask]) -> Ranking:
    """Return the arms' mean ranks over the blocks, (task, backbone), in which every arm has a score."""
    signs = {task.name: 1 if task.higher_is_better else -1 for task in tasks}
    blocks: dict[tuple[str, str], dict[str, Scored]] = defaultdict(dict)
    for cell in cells:
        if cell.kind == "arm":
            blocks[cell.task, cell.backbone][cell.arm] = _score(cell, signs[cell.task])
    return rank_blocks(blocks, words=("task", "arm"))


def rank_backbones(cells: Sequence[Cell], tasks: Sequence[ComparedTask]) -> Mapping[Modality, Ranking]:
    """Return the backbones' mean ranks within each modality that has several, over the blocks (task, arm)."""
    signs = {task.name: 1 if task.higher_is_better else -1 for task in tasks}
    modalities: dict[str, Modality] = {task.name: task.modality for task in tasks}
    blocks: dict[Modality, dict[tuple[str, str], dict[str, Scored]]] = defaultdict(lambda: defaultdict(dict))
    for cell in cells:
        if cell.kind == "arm":
            block = blocks[modalities[cell.task]][cell.task, cell.arm]
            block[cell.backbone] = _score(cell, signs[cell.task])
    return {
        modality: rank_blocks(found, words=("task", "backbone"))
        for modality, found in blocks.items()
        if len({backbone for block in found.values() for backbone in block}) > 1
    }


def share_chances(cells: Sequence[Cell], tasks: Mapping[str, ComparedTask]) -> tuple[Cell, ...]:
    """Return the cells, each arm's with the share of bags in which it is the best of its task and backbone."""
    blocks: dict[tuple[str, str], dict[str, np.ndarray]] = defaultdict(dict)
    for cell in cells:
        if cell.kind == "arm" and cell.bagged is not None:
            sign = 1 if tasks[cell.task].higher_is_better else -1
            blocks[cell.task, cell.backbone][cell.arm] = sign * cell.bagged.outside
    chances = {place: _share_best(block) for place, block in blocks.items()}
    return tuple(
        replace(cell, p_best=chances[cell.task, cell.backbone].get(cell.arm))
        if cell.kind == "arm" and (cell.task, cell.backbone) in chances
        else cell
        for cell in cells
    )


def _share_best(block: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return each arm's share of the bags in which all have a score, a tie divided among those that tie."""
    scores = np.stack(list(block.values()), axis=1)  # (bags, arms)
    scores = scores[np.isfinite(scores).all(axis=1)]
    if len(block) < 2 or not len(scores):
        return {}
    best = scores == scores.max(axis=1, keepdims=True)
    shares = (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
    return dict(zip(block, map(float, shares), strict=True))


def pair_arms(cells: Sequence[Cell], tasks: Mapping[str, ComparedTask]) -> tuple[Pair, ...]:
    """Return the arms of every task and backbone against each other."""
    blocks: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.kind == "arm" and cell.score is not None:
            blocks[cell.task, cell.backbone].append(cell)
    return tuple(pair for (task, _), block in blocks.items() for pair in pair_cells(block, tasks[task]))


def tabulate_best(
    cells: Sequence[Cell], tasks: Mapping[str, ComparedTask], measures: Mapping[str, Measure | None]
) -> tuple[ClassTable, ...]:
    """Return the classes of the best arm of every task and backbone, as far as it predicts classes."""
    blocks: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        blocks[cell.task, cell.backbone].append(cell)
    tables = []
    for (task, backbone), block in blocks.items():
        best, measure = find_best_arm(block, tasks[task]), measures[task]
        if best is None or best.evidence is None or measure is None:
            continue
        tables.append(
            tabulate_classes(
                best.evidence,
                measure.target,
                task=task,
                backbone=backbone,
                arm=best.arm,
                trial=best.trial,
            )
        )
    return tuple(table for table in tables if table is not None)


def count_wins(ranking: Ranking, pairs: Sequence[Pair]) -> Ranking:
    """Return the ranking with how many pairs each arm won, tied and lost; what the folds cannot tell apart is a tie."""
    won = Counter(name for pair in pairs if (name := pair.winner))
    lost = Counter(pair.second if pair.winner == pair.first else pair.first for pair in pairs if pair.winner)
    played = Counter(name for pair in pairs for name in (pair.first, pair.second))
    rows = [
        replace(
            row,
            wins=won[row.arm],
            ties=played[row.arm] - won[row.arm] - lost[row.arm],
            losses=lost[row.arm],
        )
        for row in ranking.rows
    ]
    return replace(ranking, rows=tuple(rows))


def _merge_outer(
    plan: Plan, cells: Sequence[Cell], history: History, spec: Spec, read: Read
) -> tuple[Cell, ...]:
    """Return the cells of a comparison: those of one arm's outer folds become one."""
    trials = {study.id: history.of(study.id) for study in plan.studies}
    places: dict[tuple[str, str, str], list[tuple[Study, Cell]]] = defaultdict(list)
    for study, cell in zip(plan.studies, cells, strict=True):
        places[study.task, study.backbone, study.arm].append((study, cell))
    merged = []
    for found in places.values():
        studies, searches = zip(*found, strict=True)
        nested = studies[0].outer_fold is not None
        measure = find_measure(plan, spec, studies[0].task) if nested else None
        merged.append(build_nested_cell(studies, searches, trials, measure, read) if nested else searches[0])
    return tuple(merged)


def _score(cell: Cell, sign: int) -> Scored:
    return Scored.of(cell.score, sign, None if cell.bagged is None else cell.bagged.outside)
