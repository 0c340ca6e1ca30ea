"""A comparison as `table.json`, schema version 1."""

from __future__ import annotations

import json
from dataclasses import asdict

from harness.judge.comparison import Cell, ComparedTask, Comparison, Ranking, RankRow

SCHEMA_VERSION = 1


def render(comparison: Comparison) -> str:
    """Return the comparison as strict JSON in ASCII; what is not known or not estimated is null."""
    return _dump(
        {
            "schema_version": SCHEMA_VERSION,
            "suite": comparison.suite,
            "protocol": comparison.protocol.model_dump(mode="json"),
            "tasks": [_describe_task(task) for task in comparison.tasks],
            "cells": [_describe_cell(cell) for cell in comparison.cells],
            "ranking": [_describe_rank(row) for row in comparison.ranking.rows],
            "backbones": [],
            "verdicts": [],
        }
    )


def render_ranking(ranking: Ranking) -> str:
    """Return the mean ranks of anybody's table as strict JSON."""
    return _dump(
        {
            "schema_version": SCHEMA_VERSION,
            "datasets": ranking.blocks,
            "ranking": [_describe_rank(row) for row in ranking.rows],
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
    }


def _describe_cell(cell: Cell) -> dict[str, object]:
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
        "test_score": None,
        "fold_sd": cell.fold_sd,
        "seed_sd": None,
        "p_best": None,
        "depth": cell.depth,
        "blocks": cell.blocks,
        "trainable_parameters": cell.trainable_parameters,
        "fit_s": cell.fit_s,
        "trials": asdict(cell.trials),
        "deploy": None,
        "pairwise": None,
        "note": cell.note,
    }


def _describe_rank(row: RankRow) -> dict[str, object]:
    return asdict(row) | {"p_best": None, "wins": None, "ties": None, "losses": None}


def _dump(document: dict[str, object]) -> str:
    return json.dumps(document, indent=2, allow_nan=False) + "\n"
