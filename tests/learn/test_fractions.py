"""The rows of a learning curve's points: nested, in whole groups, with class shares like the whole."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from harness.learn.fractions import cut_training, order_groups, take_groups
from harness.learn.work import open_scorer
from tests.learn.tiny import build_source, make_candidate, make_job, open_tiny

IDS = [f"row {number:03d}" for number in range(200)]
CLASSES = np.array([0] * 150 + [1] * 47 + [2] * 3)
ALONE = np.arange(200)


def draw(fraction: float, classes: np.ndarray | None = CLASSES, seed: int = 5) -> np.ndarray:
    """Return the rows of a fraction where each row is a group of its own."""
    return take_groups(order_groups(IDS, ALONE, classes, seed=seed), np.ones(200), fraction)


@pytest.mark.parametrize(
    (
        "fraction",
        "expected",
    ),  # by hand: one of each class, then Webster's seats: (seats + .5) / class size rises
    [
        (0.015, [1, 1, 1]),
        (0.02, [2, 1, 1]),
        (0.1, [14, 5, 1]),
        (0.3, [45, 14, 1]),
        (0.495, [75, 23, 1]),
        (1.0, [150, 47, 3]),
    ],
)
def test_class_shares_are_those_of_the_whole_and_no_class_is_absent(
    fraction: float, expected: list[int]
) -> None:
    for seed in range(5):
        assert np.bincount(CLASSES[draw(fraction, seed=seed)]).tolist() == expected


def test_a_smaller_fraction_lies_inside_a_larger_one() -> None:
    parts = [set(draw(fraction).tolist()) for fraction in (0.01, 0.1, 0.3, 0.31, 0.9, 1.0)]
    assert [len(part) for part in parts] == [2, 20, 60, 62, 180, 200]
    assert all(small < large for small, large in pairwise(parts))


def test_without_classes_rows_are_drawn_by_the_seed_alone() -> None:
    first = draw(0.1, None)
    assert len(first) == 20
    assert set(first) == set(draw(0.1, None))
    assert set(first) != set(draw(0.1, None, seed=6))
    assert not set(range(20)) >= set(first)


def test_the_order_of_rows_draws_nothing_else() -> None:
    turned = np.random.default_rng(1).permutation(200)
    order = order_groups([IDS[row] for row in turned], ALONE, CLASSES[turned], seed=5)
    assert turned[order].tolist() == order_groups(IDS, ALONE, CLASSES, seed=5).tolist()


def test_groups_stay_whole_and_cover_the_classes_first() -> None:
    """Three speakers say everything but one word, which a fourth alone says: he stands first."""
    groups = np.repeat(np.arange(4), (10, 10, 10, 5))
    classes = np.tile(np.arange(5) % 4, 7)
    classes[groups == 3] = 4  # five rows: the rarest class
    for seed in range(8):
        order = order_groups([f"{row}" for row in range(35)], groups, classes, seed=seed)
        assert sorted(order.tolist()) == [0, 1, 2, 3]
        assert order[0] == 3
        assert take_groups(order, np.bincount(groups), 0.1).tolist() == [3]  # 5 of 35
        assert take_groups(order, np.bincount(groups), 0.5).tolist() == order[:2].tolist()  # 15, not 25
        assert take_groups(order, np.bincount(groups), 0.6).tolist() == order[:3].tolist()


def test_as_many_rows_are_taken_as_come_nearest() -> None:
    order = np.array([2, 0, 1])
    sizes = np.array([3, 10, 7])  # filled: 7, 10, 20
    assert [len(take_groups(order, sizes, fraction)) for fraction in (0.01, 0.42, 0.43, 0.7, 0.8)] == [
        1,
        1,
        2,
        2,
        3,
    ]


def test_an_author_is_in_a_fraction_with_all_of_his_texts(request: pytest.FixtureRequest) -> None:
    data = {"csv": "texts.csv", "text": "text", "label": "label", "group": "author"}
    bench = open_tiny(build_source(request, task={"data": data}))
    train = np.flatnonzero(bench.split(0) != 0)
    previous: set[int] = set()
    for fraction in (0.3, 0.6, 0.9):
        rows = cut_training(bench, train, repeat=0, fold=0, fraction=fraction)
        assert set(rows) <= set(train)
        assert rows.tolist() == sorted(rows)
        assert previous < set(rows)
        assert not set(bench.groups[rows]) & set(bench.groups[np.setdiff1d(train, rows)])
        previous = set(rows)


def test_every_fold_draws_its_own_and_all_arms_share_it(request: pytest.FixtureRequest) -> None:
    source = build_source(request)
    scorer = open_scorer(source, 1)
    bench = open_tiny(source)
    train = np.flatnonzero(bench.split(0) != 0)
    drawn = {
        place: tuple(cut_training(bench, train, repeat=place[0], fold=place[1], fraction=0.3))
        for place in ((0, 0), (0, 1), (1, 0))
    }
    assert len(set(drawn.values())) == 3
    jobs = [make_job(make_candidate(2)), make_job(make_candidate(0)), make_job(None, arm="probe")]
    scores = [scorer(replace(job, fraction=0.3)) for job in jobs]
    assert {(score.state, score.n_train, score.fraction) for score in scores} == {("ok", 12, 0.3)}
    wholes = [scorer(job) for job in jobs]
    assert {(score.n_train, score.fraction) for score in wholes} == {(40, 1.0)}
    for score, whole in zip(scores, wholes, strict=True):
        assert score.predictions is not None
        assert whole.predictions is not None
        assert score.predictions.ids == whole.predictions.ids
        assert score.key != whole.key


def test_a_class_that_is_absent_is_a_state_of_the_fit(request: pytest.FixtureRequest) -> None:
    scorer = open_scorer(build_source(request), 1)
    for job in (make_job(make_candidate(2)), make_job(None, arm="generic")):
        score = scorer(replace(job, fraction=0.01))
        assert (score.state, score.valid_score, score.predictions) == ("error", None, None)
        assert score.error is not None
        assert score.error.startswith(
            "protocol.fractions: 0.01 of a training part, 1 of 40 rows, is too little: the training part"
        )
        assert score.error.endswith(
            "give these classes more examples or groups, or drop them; "
            "take `0.01` out of protocol.fractions, or start with a larger one"
        )


@pytest.mark.parametrize("early", [None, {"patience": 1, "share": 0.3}])
def test_fewer_rows_are_fewer_steps_of_as_many_epochs(
    request: pytest.FixtureRequest, early: dict[str, Any] | None
) -> None:
    job = make_job(make_candidate(1, epochs=2, early_stopping=early), fraction=0.3)
    score = open_scorer(build_source(request), 1)(job)
    assert score.state == "ok"
    assert score.epochs is not None
    assert score.steps == score.epochs * 2  # 12 rows, 8 a step
