"""How a comparison was split, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.judge.comparison import ComparedTask, Comparison, Ranking
from harness.report.rows import name_splits
from harness.spec.options import Protocol, Scheme

TASK = ComparedTask(
    name="reviews",
    type="text-classification",
    modality="text",
    metric="accuracy",
    higher_is_better=True,
    bounds=(0.0, 1.0),
    folds=5,
    examples=500,
    groups=None,
)


def compare(*tasks: tuple[Scheme, int]) -> Comparison:
    compared = tuple(replace(TASK, scheme=scheme, folds=folds) for scheme, folds in tasks)
    ranking = Ranking(rows=(), blocks=0)
    return Comparison(suite="s", protocol=Protocol(folds=9), tasks=compared, cells=(), ranking=ranking)


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ((("kfold", 5), ("kfold", 5)), "5 folds"),
        ((("kfold", 3), ("kfold", 5)), "3 to 5 folds"),
        (
            (("leave-one-group-out", 4), ("leave-one-group-out", 7)),
            "4 to 7 folds, one for each group",
        ),
        ((("temporal", 5),), "5 folds forward in time"),
        ((("temporal", 5), ("kfold", 5)), "5 folds"),
        ((), "9 folds"),
    ],
)
def test_folds_are_told_as_the_tasks_have_them(tasks: tuple[tuple[Scheme, int], ...], words: str) -> None:
    assert name_splits(compare(*tasks)) == words
    repeated = replace(compare(*tasks), protocol=Protocol(folds=9, repeats=2))
    assert name_splits(repeated) == f"{words} x 2 repeats"
