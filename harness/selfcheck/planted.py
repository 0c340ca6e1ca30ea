"""Planted differences: what is there is found with enough examples, and not claimed with few."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from harness.judge.comparison import Cell, ComparedTask, TrialCounts
from harness.judge.pairs import pair_cells
from harness.selfcheck.finding import Finding

CHECK = "planted differences"
FOLDS, REPEATS = 5, 3
DISCORDANCE, GAIN = (
    0.06,
    0.03,
)  # on how many examples two arms differ, and how many more the better one has right
KEPT = 0.5  # of the examples keep their outcome from one repeat to the next; the others are drawn anew by retraining
LEVEL = 0.8


def find_planted_differences(*, simulations: int) -> Iterator[Finding]:
    """Yield how often the pair of a better arm and a worse one is separated, at 1000 and at 100 examples."""
    many, few = np.random.SeedSequence(3).spawn(2)
    planted = f"+{100 * GAIN:.0f} points, discordance {DISCORDANCE}, {REPEATS}x{FOLDS} folds"
    winners = [_find_winner(1000, np.random.default_rng(child)) for child in many.spawn(simulations)]
    yield Finding(
        check=CHECK,
        what=f"{planted}, 1000 examples: found",
        figure=winners.count("better") / simulations,
        low=0.8,
        high=1,
    )
    winners = [_find_winner(100, np.random.default_rng(child)) for child in few.spawn(simulations)]
    yield Finding(
        check=CHECK,
        what=f"{planted}, 100 examples: not separable",
        figure=winners.count(None) / simulations,
        low=0.9,
        high=1,
    )


def _find_winner(examples: int, rng: np.random.Generator) -> str | None:
    """Return which of two arms wins by the folds of a simulated run."""
    worse, better = _draw_outcomes(examples, rng)
    scores: list[tuple[float, float]] = []
    for _ in range(REPEATS):
        anew = _draw_outcomes(examples, rng)
        kept = rng.random(examples) < KEPT
        worse, better = np.where(kept, worse, anew[0]), np.where(kept, better, anew[1])
        folds = rng.permutation(examples).reshape(FOLDS, -1)
        scores += zip(worse[folds].mean(axis=1).tolist(), better[folds].mean(axis=1).tolist(), strict=True)
    cells = [
        _describe_cell(name, tuple(each))
        for name, each in zip(("worse", "better"), zip(*scores, strict=True), strict=True)
    ]
    (pair,) = pair_cells(cells, _describe_task(examples))
    return pair.winner


def _draw_outcomes(examples: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return where the worse and the better arm are right, (examples,) each."""
    only_better = (DISCORDANCE + GAIN) / 2
    drawn = rng.random(examples)
    both = drawn >= DISCORDANCE
    agreed = both & (rng.random(examples) < LEVEL)
    better = agreed | (drawn < only_better)
    worse = agreed | ((drawn >= only_better) & ~both)
    return worse, better


def _describe_cell(arm: str, scores: tuple[float, ...]) -> Cell:
    return Cell(
        study=arm,
        task="planted",
        backbone="none",
        arm=arm,
        kind="arm",
        blocks=0,
        trials=TrialCounts(ok=1),
        score=math.fsum(scores) / len(scores),
        fold_scores=scores,
    )


def _describe_task(examples: int) -> ComparedTask:
    return ComparedTask(
        name="planted",
        type="text-classification",
        modality="text",
        metric="accuracy",
        higher_is_better=True,
        bounds=(0.0, 1.0),
        folds=FOLDS,
        examples=examples,
        groups=None,
    )
