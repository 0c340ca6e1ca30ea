"""How a comparison was split, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.judge.comparison import ComparedTask, Comparison, Ranking
from harness.report.splits import count_folds, name_validation
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
    ("tasks", "folds", "validation"),
    [
        ((("kfold", 5), ("kfold", 5)), "5 folds", "5-fold cross-validation"),
        ((("kfold", 3), ("kfold", 5)), "3 to 5 folds", "cross-validation of 3 to 5 folds"),
        (
            (("leave-one-group-out", 4), ("leave-one-group-out", 7)),
            "4 to 7 folds, one for each group",
            "leave-one-group-out cross-validation of 4 to 7 folds",
        ),
        ((("temporal", 5),), "5 folds forward in time", "validation forward in time over 5 folds"),
        ((("temporal", 5), ("kfold", 5)), "5 folds", "5-fold cross-validation"),
        ((), "9 folds", "9-fold cross-validation"),
    ],
)
def test_folds_are_told_as_the_tasks_have_them(
    tasks: tuple[tuple[Scheme, int], ...], folds: str, validation: str
) -> None:
    assert (count_folds(compare(*tasks)), name_validation(compare(*tasks))) == (folds, validation)
