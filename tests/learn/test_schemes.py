"""Folds that follow from the data: by group, by time, by a column of the source."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from harness.examples import Examples, build_examples, group_keys
from harness.learn.folds import count_folds, list_training, split_examples
from harness.learn.kin import find_kin
from harness.learn.schemes import chain_forward, cut_times, leave_groups_out
from harness.spec.options import Protocol


def build(count: int, **columns: Any) -> Examples:
    """Return examples that stand in the order in which they were given, texts being their numbers."""
    columns = {"inputs": [f"text {row}" for row in range(count)]} | columns
    ids = [f"{row:03}" for row in range(count)]
    return build_examples(targets=[str(row % 2) for row in range(count)], ids=ids, **columns)


def split(examples: Examples, protocol: Protocol, *, repeat: int = 0) -> tuple[np.ndarray, list[list[int]]]:
    """Return each row's fold, and the rows that each fold is trained on, what is locked away being the last."""
    groups, classes = group_keys(examples), np.array([int(target) for target in examples.targets])
    folds = count_folds(examples, groups, classes, protocol, seed=1)
    counted = protocol.model_copy(update={"folds": folds})
    place = split_examples(examples, groups, classes, counted, seed=1, repeat=repeat)
    kin = find_kin(examples, protocol)
    last = int(place.max())
    return place, [list_training(place, fold, folds=folds, kin=kin).tolist() for fold in range(last + 1)]


def test_times_are_cut_where_parts_are_nearest_to_like_size() -> None:
    assert cut_times(np.arange(6.0), [2, 4]).tolist() == [0, 0, 1, 1, 2, 2]
    assert cut_times(np.array([5.0, 1, 3, 1, 9, 1]), [2, 4]).tolist() == [2, 0, 1, 0, 2, 0]


def test_every_part_has_a_row_however_times_crowd() -> None:
    crowded = np.array([0.0] * 50 + [1.0, 2.0])
    assert cut_times(crowded, [17, 34]).tolist() == [0] * 50 + [1, 2]
    assert cut_times(-crowded, [17, 34]).tolist() == [2] * 50 + [1, 0]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=8, max_size=80), st.integers(2, 6))
def test_equal_times_share_a_part_and_parts_follow_each_other(times: list[int], folds: int) -> None:
    distinct = len(set(times))
    if distinct <= folds:
        with pytest.raises(DataError, match=f"{distinct} distinct times cannot make {folds + 1} parts"):
            chain_forward(np.array(times, dtype=float), folds=folds)
        return
    place = chain_forward(np.array(times, dtype=float), folds=folds)
    assert set(place) == set(range(-1, folds))
    for part in range(folds):
        before, after = (np.array(times)[side] for side in (place < part, place >= part))
        assert before.max() < after.min()


def test_each_fold_is_trained_on_all_that_is_older_and_the_oldest_part_is_never_scored() -> None:
    examples = build(8, times=list(range(8)))
    place, training = split(examples, Protocol(scheme="temporal", folds=3))
    assert place.tolist() == [-1, -1, 0, 0, 1, 1, 2, 2]
    assert training == [[0, 1], [0, 1, 2, 3], [0, 1, 2, 3, 4, 5]]


def test_the_order_of_rows_has_nothing_to_do_with_time() -> None:
    place, training = split(build(6, times=[5, 4, 3, 2, 1, 0]), Protocol(scheme="temporal", folds=2))
    assert place.tolist() == [1, 1, 0, 0, -1, -1]
    assert training == [[4, 5], [2, 3, 4, 5]]


def test_a_gap_keeps_what_is_recent_out_of_the_training_part() -> None:
    examples = build(8, times=list(range(8)))
    _, training = split(examples, Protocol(scheme="temporal", folds=3, gap=2))
    assert training == [[0], [0, 1, 2], [0, 1, 2, 3, 4]]
    _, training = split(examples, Protocol(scheme="temporal", folds=3, gap=2.5))
    assert training == [[], [0, 1], [0, 1, 2, 3]]


def test_rows_that_share_a_group_or_content_with_what_is_scored_are_left_out() -> None:
    groups = ["a", "b", "c", "a", "d", "e", "f", "g"]
    inputs = ["t0", "t1", "t2", "t3", "t4", "t1", "t6", "t7"]
    examples = build(8, times=list(range(8)), groups=groups, inputs=inputs)
    _, training = split(examples, Protocol(scheme="temporal", folds=3))
    assert training == [[1], [0, 2, 3], [0, 1, 2, 3, 4, 5]]  # 0 is a group of 3, 1 the content of 5


def test_what_is_locked_away_is_the_latest_and_is_learned_from_all_that_is_older() -> None:
    examples = build(10, times=list(range(10)))
    place, training = split(examples, Protocol(scheme="temporal", folds=3, test=0.2, gap=1))
    assert place.tolist() == [-1, -1, 0, 0, 1, 1, 2, 2, 3, 3]
    assert training[3] == [0, 1, 2, 3, 4, 5, 6, 7]
    place, training = split(examples, Protocol(scheme="temporal", folds=3, test=0.2, gap=3))
    assert training[3] == [0, 1, 2, 3, 4, 5]


def test_repeats_of_folds_that_follow_from_the_data_are_alike() -> None:
    examples = build(12, times=list(range(12)), groups=[f"g{row % 4}" for row in range(12)])
    for scheme in ("temporal", "leave-one-group-out"):
        protocol = Protocol.model_validate({"scheme": scheme, "repeats": 2})
        first, again, confirming = (split(examples, protocol, repeat=repeat)[0] for repeat in (0, 1, 3))
        assert first.tolist() == again.tolist() == confirming.tolist()


def test_every_group_is_a_fold_in_the_order_of_names() -> None:
    examples = build(6, groups=["bob", "ann", "cem", "ann", "bob", "bob"])
    place, training = split(examples, Protocol(scheme="leave-one-group-out"))
    assert place.tolist() == [1, 0, 2, 0, 1, 1]
    assert training == [[0, 2, 4, 5], [1, 2, 3], [0, 1, 3, 4, 5]]


def test_groups_of_one_content_stay_folds_of_their_own_and_do_not_learn_from_their_twins() -> None:
    inputs = ["ok", "a", "ok", "b", "ok", "c"]
    examples = build(6, groups=["x", "x", "y", "y", "z", "z"], inputs=inputs)
    place, training = split(examples, Protocol(scheme="leave-one-group-out"))
    assert place.tolist() == [0, 0, 1, 1, 2, 2]
    assert training == [[3, 5], [1, 5], [1, 3]]


def test_a_locked_share_leaves_fewer_groups_to_leave_out() -> None:
    examples = build(40, groups=[f"g{row % 10}" for row in range(40)])
    place, training = split(examples, Protocol(scheme="leave-one-group-out", test=0.2))
    assert np.bincount(place).tolist() == [4] * 8 + [8]
    assert len(training[8]) == 32


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (None, "needs groups: name their column in the data's `group`"),
        (["a"] * 120, "needs two groups, and there is only 'a'"),
        ([str(row) for row in range(120)], "would make 120 folds, one for each group; it takes at most 100"),
    ],
)
def test_groups_that_cannot_be_left_out_one_by_one_are_said(groups: list[str] | None, said: str) -> None:
    with pytest.raises(DataError, match=said):
        leave_groups_out(groups)


def test_the_rows_that_the_source_calls_test_are_locked_away() -> None:
    examples = build(12, locked=[row >= 9 for row in range(12)])
    place, training = split(examples, Protocol(folds=3, test="split"))
    assert place[9:].tolist() == [3, 3, 3]
    assert sorted(place[:9].tolist()) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert training[3] == list(range(9))


def test_a_twin_of_a_test_row_is_not_trained_on_for_the_test() -> None:
    inputs = [f"t{row % 11}" for row in range(12)]  # 0 and 11 are twins
    examples = build(12, locked=[row >= 9 for row in range(12)], inputs=inputs)
    _, training = split(examples, Protocol(folds=3, test="split"))
    assert training[3] == list(range(1, 9))


def test_a_group_on_both_sides_of_the_split_is_an_error() -> None:
    locked = [row >= 9 for row in range(12)]
    examples = build(12, locked=locked, groups=[f"g{row % 10}" for row in range(12)])
    with pytest.raises(DataError, match="2 groups are on both sides of the split, such as 'g0' and 'g1'"):
        split(examples, Protocol(folds=3, test="split"))


def test_a_declared_test_of_a_temporal_scheme_must_be_later_than_the_rest() -> None:
    protocol = Protocol(scheme="temporal", folds=2, test="split")
    locked = [row >= 6 for row in range(9)]
    place, training = split(build(9, times=list(range(9)), locked=locked), protocol)
    assert place.tolist() == [-1, -1, 0, 0, 1, 1, 2, 2, 2]
    assert training[2] == [0, 1, 2, 3, 4, 5]
    with pytest.raises(DataError, match="train row 000 is not older than test row 008"):
        split(build(9, times=list(range(9, 0, -1)), locked=locked), protocol)
