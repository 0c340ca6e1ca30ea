"""Folds are tried before anything trains, and what the data say of them is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.errors import DataError
from harness.examples import Examples, build_examples
from harness.learn.trying import Tried, try_folds
from harness.spec.options import Protocol
from harness.targets import classes


def build(targets: list[str], **columns: Any) -> Examples:
    ids = [f"{row:03}" for row in range(len(targets))]
    columns = {"inputs": [f"text {row}" for row in ids]} | columns
    return build_examples(targets=targets, ids=ids, **columns)


def attempt(examples: Examples, **protocol: Any) -> Tried:
    return try_folds(examples, classes, ("0", "1"), Protocol.model_validate(protocol), seed=1)


def alternate(count: int) -> list[str]:
    return [str(row % 2) for row in range(count)]


def test_of_folds_that_are_dealt_out_the_protocol_says_everything() -> None:
    tried = attempt(build(alternate(12)), folds=3)
    assert (tried.fold_count, tried.part_ratio, tried.notes) == (None, None, ())


def test_groups_count_their_folds() -> None:
    groups = ["a"] * 2 + ["b"] * 4 + ["c"] * 6
    tried = attempt(build(alternate(12), groups=groups), scheme="leave-one-group-out")
    assert tried.fold_count == 3
    assert tried.part_ratio == pytest.approx(np.mean([2 / 10, 4 / 8, 6 / 6]))


def test_the_ratio_of_a_growing_training_part_is_that_of_its_folds() -> None:
    tried = attempt(build(alternate(12), times=list(range(12))), scheme="temporal", folds=3)
    assert tried.fold_count is None
    assert tried.part_ratio == pytest.approx(np.mean([3 / 3, 3 / 6, 3 / 9]))
    assert tried.notes == ("9 examples are scored, each by what is older; the 3 oldest are only trained on",)


def test_what_is_left_out_is_counted() -> None:
    groups = ["x", *"bcdefghijk", "x"]
    tried = attempt(
        build(alternate(12), times=list(range(12)), groups=groups), scheme="temporal", folds=3, gap=2
    )
    # The gap takes the row before each of three parts; the first row is a group of the last one.
    assert tried.notes[1:] == (
        "the gap of 2 leaves 3 examples out of training parts, counted once for each fold",
        "1 examples are left out of training parts, counted once for each fold: they share a group or their content "
        "with what is scored there",
    )
    assert tried.part_ratio == pytest.approx(np.mean([3 / 2, 3 / 5, 3 / 7]))


def test_a_twin_of_a_test_row_is_counted() -> None:
    examples = build(
        alternate(12), inputs=[f"t{row % 11}" for row in range(12)], locked=[row > 8 for row in range(12)]
    )
    tried = attempt(examples, folds=3, test="split")
    assert [note.split(" are left")[0] for note in tried.notes] == ["1 examples"]


@pytest.mark.parametrize(
    ("columns", "protocol", "said"),
    [
        (
            {"times": list(range(12))},
            {"scheme": "temporal", "folds": 3, "gap": 5},
            "older than fold 0 by the gap of 5",
        ),
        (
            {"times": list(range(12)), "groups": ["a"] * 12},
            {"scheme": "temporal", "folds": 3},
            "every example that fold 0 could be learned from shares a group or its content",
        ),
        (
            {"times": [0] * 6 + [1] * 6},
            {"scheme": "temporal", "folds": 2},
            "2 distinct times cannot make 3 parts: give finer times",
        ),
    ],
)
def test_a_training_part_that_would_be_empty_is_said(
    columns: dict[str, Any], protocol: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        attempt(build(alternate(12), **columns), **protocol)


def test_a_class_that_a_scored_part_lacks_is_told_with_its_folds() -> None:
    groups = ["a"] * 4 + ["b"] * 4 + ["c"] * 4
    tried = attempt(build(["0", "1"] * 4 + ["0"] * 4, groups=groups), scheme="leave-one-group-out")
    assert tried.notes == (
        "parts that are scored lack a class: '1' in fold 2. A metric may be undefined there; the table's is of all "
        "folds together",
    )
    dealt = attempt(build(["0"] * 18 + ["1"] * 2), folds=9, repeats=2)
    (note,) = dealt.notes
    assert note.startswith("parts that are scored lack a class: '1' in fold ")
    assert "more. A metric" in note


def test_a_class_that_what_is_locked_away_lacks_is_told() -> None:
    locked = [row > 8 and row % 2 == 0 for row in range(12)]
    tried = attempt(build(alternate(12), locked=locked), folds=3, test="split")
    assert tried.notes == (
        "parts that are scored lack a class: '1' in what is locked away. A metric may be undefined there; the table's "
        "is of all folds together",
    )


def test_a_class_of_one_group_alone_cannot_be_left_out() -> None:
    examples = build(["0"] * 8 + ["1"] * 4, groups=["a"] * 4 + ["b"] * 4 + ["c"] * 4)
    with pytest.raises(
        DataError, match=r"no example of '1': give these classes more .* groups, or drop them"
    ):
        attempt(examples, scheme="leave-one-group-out")
