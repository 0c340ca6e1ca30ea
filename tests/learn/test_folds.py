"""Folds depend on ids, groups, classes and seed alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from harness.examples import Examples, build_examples, group_keys
from harness.learn.folds import list_training, split_examples, split_folds
from harness.learn.kin import find_kin
from harness.spec.options import Protocol


def split(
    ids: list[str], groups: np.ndarray, classes: np.ndarray | None, *, folds: int = 3, seed: int = 0
) -> dict[str, int]:
    place = split_folds(ids, groups, classes, folds=folds, seed=seed)
    return dict(zip(ids, place.tolist(), strict=True))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), min_size=12, max_size=60), st.randoms())
def test_the_order_of_rows_changes_no_fold(rows: list[tuple[int, int]], random: object) -> None:
    ids = [f"r{number}" for number in range(len(rows))]
    # every group number occurs, and so does every class
    groups = np.array([row[0] for row in rows[:-12]] + list(range(10)) + [0, 1], dtype=np.int64)
    classes = np.array([row[1] for row in rows[:-12]] + [0, 1, 2] * 4, dtype=np.int64)
    before = split(ids, groups, classes)
    order = list(range(len(ids)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert split([ids[row] for row in order], groups[order], classes[order]) == before


def test_classes_are_spread_evenly() -> None:
    classes = np.array([0] * 30 + [1] * 15 + [2] * 6)
    place = split_folds([f"r{n}" for n in range(51)], np.arange(51), classes, folds=3, seed=1)
    counts = np.array(
        [[np.sum((place == fold) & (classes == label)) for label in range(3)] for fold in range(3)]
    )
    assert counts.tolist() == [[10, 5, 2]] * 3


def test_a_group_is_never_split() -> None:
    generator = np.random.default_rng(0)
    groups = generator.integers(0, 12, size=200)
    groups[:12] = np.arange(12)
    place = split_folds(
        [f"r{n}" for n in range(200)], groups, generator.integers(0, 2, size=200), folds=4, seed=0
    )
    for group in range(12):
        assert len(set(place[groups == group])) == 1
    assert np.bincount(place).min() >= 200 / 4 * 0.7


def test_another_seed_gives_other_folds() -> None:
    ids, groups = [f"r{n}" for n in range(40)], np.arange(40)
    assert split(ids, groups, None, seed=1) != split(ids, groups, None, seed=2)


def test_fewer_groups_than_folds_name_the_largest_number_that_works() -> None:
    with pytest.raises(DataError, match="2 groups cannot make 3 folds: use at most 2 folds"):
        split_folds(["a", "b", "c"], np.array([0, 0, 1]), None, folds=3, seed=0)


def test_a_class_without_rows_takes_no_part() -> None:
    groups = np.arange(12)
    classes = np.array([0, 2] * 6)  # 1 is declared and absent
    place = split_folds([f"r{n}" for n in range(12)], groups, classes, folds=3, seed=0)
    assert [np.sum((place == fold) & (classes == 2)) for fold in range(3)] == [2, 2, 2]


def lock(examples: Examples, share: float, *, repeat: int = 0) -> np.ndarray:
    groups, classes = group_keys(examples), np.array([int(target) for target in examples.targets])
    protocol = Protocol(folds=3, test=share)
    return split_examples(examples, groups, classes, protocol, seed=1, repeat=repeat)


def test_what_is_locked_away_stands_behind_the_last_fold_in_every_repeat() -> None:
    examples = build_examples(
        inputs=[f"text {row}" for row in range(120)],
        targets=[str(row % 2) for row in range(120)],
        groups=[f"g{row // 3}" for row in range(120)],
    )
    place = lock(examples, 0.25)
    locked = place == 3
    assert locked.mean() == pytest.approx(0.25, abs=0.05)
    assert np.mean([examples.targets[row] == "1" for row in np.flatnonzero(locked)]) == pytest.approx(
        0.5, abs=0.1
    )
    assert (
        lock(examples, 0.25, repeat=1).tolist() == place.tolist()
    )  # it confirms with another training seed alone
    further = lock(examples, 0.25, repeat=2)
    assert (further == 3).tolist() == locked.tolist()
    assert further.tolist() != place.tolist()
    groups, kin = group_keys(examples), find_kin(examples, Protocol())
    assert not set(groups[locked]) & set(groups[~locked])
    for fold in range(4):
        rows = list_training(place, fold, folds=3, kin=kin)
        assert not locked[rows].any()
        assert not (place[rows] == fold).any()
    assert set(lock(examples, 0.0).tolist()) == {0, 1, 2}


def test_one_group_cannot_be_open_and_locked_away() -> None:
    alone = build_examples(inputs=["a", "b", "c", "d"], targets=["0", "1", "0", "1"], groups=["g"] * 4)
    with pytest.raises(DataError, match="use test 0"):
        lock(alone, 0.25)
