"""Rank the arms of a suite, or the methods of anybody's table."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from harness import plugins
from harness.judge.cells import build_cell
from harness.judge.comparison import Cell, ComparedTask, Comparison, Ranking, RankRow
from harness.judge.score_table import read_score_table
from harness.judge.stats.ranks import rank_values
from harness.plan import Plan
from harness.record.history import History, TrialRecord
from harness.spec.models import Spec

TASKS_TO_RESAMPLE = 6  # fewer tasks say too little of the tasks that were not tried
BAGS = 10_000

FLATTERING = (
    "A score is the mean over folds of an arm's best trial, with a corrected resampled t interval over folds. "
    "The best of many trials flatters itself; this is not corrected for."
)


def compare_arms(plan: Plan, history: History, spec: Spec) -> Comparison:
    """Return the comparison of a plan's cells, from what the ledger says.

    Nothing is imputed: a cell without a complete trial is missing. Renaming or reordering tasks, backbones,
    arms or lines of the ledger changes no number.
    """
    trials = _by_study(history)
    tasks = {name: _describe(plan, spec, name) for name in plan.survey.tasks}
    cells = tuple(
        build_cell(study, trials.get(study.id, ()), tasks[study.task].bounds) for study in plan.studies
    )
    ranking = rank_cells(cells, tuple(tasks.values()))
    searched = any(study.kind == "arm" and study.trials > 1 for study in plan.studies)
    flattering = [FLATTERING] if searched else []
    return Comparison(
        suite=plan.suite,
        protocol=spec.protocol,
        tasks=tuple(tasks.values()),
        cells=cells,
        ranking=ranking,
        notes=(*flattering, *ranking.notes, *history.damage),
    )


def rank_cells(cells: Sequence[Cell], tasks: Sequence[ComparedTask]) -> Ranking:
    """Return the arms' mean ranks over the blocks, (task, backbone), in which every arm has a score."""
    higher = {task.name: task.higher_is_better for task in tasks}
    blocks: dict[tuple[str, str], dict[str, float | None]] = defaultdict(dict)
    for cell in cells:
        if cell.kind == "arm":
            blocks[cell.task, cell.backbone][cell.arm] = _goodness(
                cell.score, higher_is_better=higher[cell.task]
            )
    return _rank_blocks(blocks, words=("task", "arm"))


def rank_scores(
    scores: Path | Mapping[str, Mapping[str, float | None]], *, lower_is_better: bool = False
) -> Ranking:
    """Return the mean ranks of methods over data sets, from a CSV file or as scores[data set][method].

    The file's first column names the data set, every further one is a method. A data set that lacks a score is
    left out, and the ranking's notes say so. Raises `SpecError` with all faults of the file.
    """
    table = read_score_table(scores) if isinstance(scores, Path) else scores
    blocks = {
        (dataset, ""): {
            method: _goodness(score, higher_is_better=not lower_is_better) for method, score in row.items()
        }
        for dataset, row in table.items()
    }
    return _rank_blocks(blocks, words=("data set", "method"))


def _rank_blocks(
    blocks: Mapping[tuple[str, str], Mapping[str, float | None]], *, words: tuple[str, str]
) -> Ranking:
    """Rank within each block, (cluster, part), then average; `words` call a cluster and a method."""
    methods = tuple(dict.fromkeys(method for block in blocks.values() for method in block))
    ranks: dict[str, dict[str, list[float]]] = {method: defaultdict(list) for method in methods}
    lacking: dict[tuple[str, str], list[str]] = {}
    for name, block in blocks.items():
        values = {method: block.get(method) for method in methods}
        if missing := [method for method, value in values.items() if value is None]:
            lacking[name] = missing
            continue
        badness = [-value for value in values.values() if value is not None]
        for method, rank in zip(methods, rank_values(badness), strict=True):
            ranks[method][name[0]].append(float(rank))
    rows = [_row(method, list(ranks[method].values())) for method in methods]
    rows.sort(key=lambda row: math.inf if row.mean_rank is None else row.mean_rank)
    ranked = len(blocks) - len(lacking)
    clusters = {name[0] for name in blocks if name not in lacking}
    notes = _notes(lacking, ranked, len(clusters), words=words)
    return Ranking(rows=tuple(rows), blocks=ranked, notes=tuple(notes))


def _row(method: str, clusters: Sequence[Sequence[float]]) -> RankRow:
    """Return a method's mean rank and, from six clusters on, the interval of a bootstrap that draws clusters."""
    if not clusters:
        return RankRow(arm=method, mean_rank=None)
    # Sorted, so that an interval depends on no order of tasks.
    sums, counts = np.array(sorted((math.fsum(ranks), len(ranks)) for ranks in clusters)).T
    mean = float(sums.sum() / counts.sum())
    if len(clusters) < TASKS_TO_RESAMPLE:
        return RankRow(arm=method, mean_rank=mean)
    drawn = np.random.default_rng(0).integers(0, len(sums), size=(BAGS, len(sums)))
    low, high = np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [0.025, 0.975])
    return RankRow(arm=method, mean_rank=mean, low=float(low), high=float(high))


def _notes(
    lacking: Mapping[tuple[str, str], Sequence[str]], ranked: int, clusters: int, *, words: tuple[str, str]
) -> list[str]:
    cluster, method = words
    notes = []
    if lacking:
        absent = [
            f"{' x '.join(filter(None, block))} lacks {', '.join(names)}" for block, names in lacking.items()
        ]
        notes.append(
            f"Ranked over {ranked} of {ranked + len(lacking)}, those in which every {method} has a score: "
            f"{'; '.join(absent)}."
        )
    if 0 < clusters < TASKS_TO_RESAMPLE:
        notes.append(
            f"Mean ranks have no interval: with {clusters} {cluster}{'s' * (clusters > 1)} there are fewer than "
            f"{TASKS_TO_RESAMPLE} to resample."
        )
    return notes


def _goodness(score: float | None, *, higher_is_better: bool) -> float | None:
    """Return a number that is higher where the score is better, None where there is none."""
    if score is None or not math.isfinite(score):
        return None
    return score if higher_is_better else -score


def _by_study(history: History) -> Mapping[str, list[TrialRecord]]:
    trials: dict[str, list[TrialRecord]] = defaultdict(list)
    for key in sorted(history.trials):
        trials[key[0]].append(history.trials[key])
    return trials


def _describe(plan: Plan, spec: Spec, name: str) -> ComparedTask:
    facts = plan.survey.tasks[name]
    known = facts.metric in plugins.names("metrics")  # a report can be written without the run's --plugins
    return ComparedTask(
        name=name,
        type=spec.tasks[name].type,
        modality=facts.modality,
        metric=facts.metric,
        higher_is_better=facts.higher_is_better,
        bounds=plugins.find("metrics", facts.metric).BOUNDS if known else (-math.inf, math.inf),
        examples=facts.examples,
        groups=facts.groups,
    )
