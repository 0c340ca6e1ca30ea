"""A comparison as `table.json`, schema version 1."""

from __future__ import annotations

import json
from dataclasses import asdict

from harness.judge.comparison import Cell, ComparedTask, Comparison, LockedPair, Pair, Ranking, RankRow
from harness.judge.ranking_test import RankingTest
from harness.report.learning import describe_curve

SCHEMA_VERSION = 1


def render(comparison: Comparison) -> str:
    """Return the comparison as strict JSON in ASCII; what is not known or not estimated is null."""
    return _dump(
        {
            "schema_version": SCHEMA_VERSION,
            "suite": comparison.suite,
            "protocol": comparison.protocol.model_dump(mode="json"),
            "tasks": [_describe_task(task) for task in comparison.tasks],
            "cells": [_describe_cell(cell, comparison) for cell in comparison.cells],
            "ranking": [_describe_rank(row) for row in comparison.ranking.rows],
            "backbones": [
                {"modality": modality, "backbone": row.arm, **_describe_rank(row)}
                for modality, ranking in comparison.backbones.items()
                for row in ranking.rows
            ],
            "ranking_test": _describe_test(comparison.ranking.test),
            "verdicts": [asdict(verdict) for verdict in comparison.verdicts],
            "classes": [asdict(table) for table in comparison.classes],
            "budgets": [asdict(budget) for budget in comparison.budgets],
            "notes": list(comparison.notes),
        }
    )


def render_ranking(ranking: Ranking) -> str:
    """Return the mean ranks of anybody's table as strict JSON."""
    return _dump(
        {
            "schema_version": SCHEMA_VERSION,
            "datasets": ranking.blocks,
            "ranking": [_describe_rank(row) for row in ranking.rows],
            "ranking_test": _describe_test(ranking.test),
            "notes": list(ranking.notes),
        }
    )


def _describe_task(task: ComparedTask) -> dict[str, object]:
    return {
        "name": task.name,
        "type": task.type,
        "modality": task.modality,
        "metric": task.metric,
        "higher_is_better": task.higher_is_better,
        "examples": task.examples,
        "groups": task.groups,
        "scheme": task.scheme,
        "folds": task.folds,
    }


def _describe_cell(cell: Cell, comparison: Comparison) -> dict[str, object]:
    return {
        "task": cell.task,
        "backbone": cell.backbone,
        "arm": cell.arm,
        "kind": cell.kind,
        "score": cell.score,
        "low": cell.low,
        "high": cell.high,
        "raw_best": cell.raw_best,
        "optimism": cell.optimism,
        "train_score": cell.train_score,
        "gap": cell.gap,
        "test_score": cell.test_score,
        "test_low": cell.test_low,
        "test_high": cell.test_high,
        "test_gap": cell.test_gap,
        "fold_sd": cell.fold_sd,
        "seed_sd": cell.seed_sd,
        "p_best": cell.p_best,
        "depth": cell.depth,
        "blocks": cell.blocks,
        "trainable_parameters": cell.trainable_parameters,
        "fit_s": cell.fit_s,
        "trials": asdict(cell.trials),
        "learning_curve": describe_curve(cell.learning_curve),
        "metrics": _describe_further(cell, comparison),
        "depths": [asdict(depth) for depth in cell.depths],
        "components": None if cell.components is None else asdict(cell.components),
        "deploy": None if cell.deploy is None else asdict(cell.deploy),
        "importance": None if cell.importance is None else dict(cell.importance.shares),
        "pairwise": [
            _describe_pair(pair, cell.arm)
            for pair in comparison.pairs
            if cell.kind == "arm"
            and (pair.task, pair.backbone) == (cell.task, cell.backbone)
            and cell.arm in (pair.first, pair.second)
        ],
        "test_pairwise": [
            _describe_locked(locked, cell.arm)
            for locked in comparison.locked_pairs
            if cell.kind == "arm"
            and (locked.task, locked.backbone) == (cell.task, cell.backbone)
            and cell.arm in (locked.first, locked.second)
        ],
        "note": cell.note,
    }


def _describe_further(cell: Cell, comparison: Comparison) -> dict[str, object]:
    """Return every further metric of the cell's task, null where the cell has none."""
    found = {score.name: score for score in cell.metrics}
    names = [metric.name for task in comparison.tasks if task.name == cell.task for metric in task.metrics]
    return {
        name: {
            "value": found[name].value if name in found else None,
            "low": found[name].low if name in found else None,
            "high": found[name].high if name in found else None,
        }
        for name in names
    }


def _describe_rank(row: RankRow) -> dict[str, object]:
    return asdict(row)


def _describe_pair(pair: Pair, arm: str) -> dict[str, object]:
    """Return a pair as its arm `arm` sees it."""
    if arm == pair.first:
        described = {"arm": pair.second, "difference": pair.difference, "low": pair.low, "high": pair.high}
        return described | {
            "p": pair.p,
            "worse": pair.worse,
            "equivalent": pair.equivalent,
            "better": pair.better,
        }
    described = {"arm": pair.first, "difference": -pair.difference, "low": -pair.high, "high": -pair.low}
    return described | {
        "p": pair.p,
        "worse": pair.better,
        "equivalent": pair.equivalent,
        "better": pair.worse,
    }


def _describe_locked(pair: LockedPair, arm: str) -> dict[str, object]:
    """Return a pair on the locked test as its arm `arm` sees it."""
    told: dict[str, object] = {"p": pair.p, "method": pair.method, "sentence": pair.sentence}
    if arm == pair.first:
        return {"arm": pair.second, "difference": pair.difference, "low": pair.low, "high": pair.high} | told
    return {"arm": pair.first, "difference": -pair.difference, "low": -pair.high, "high": -pair.low} | told


def _describe_test(test: RankingTest | None) -> dict[str, object] | None:
    """Return the test over data sets; methods, their mean ranks and their strengths stand best first."""
    return None if test is None else asdict(test)


def _dump(document: dict[str, object]) -> str:
    return json.dumps(document, indent=2, allow_nan=False) + "\n"
