"""What moves a score is told apart: folds, seeds, and what is left."""

from __future__ import annotations

import math
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.judge import stats
from harness.judge.components import find_components
from harness.judge.whole import Whole, find_whole
from harness.plan import Study
from harness.record.history import TrialRecord
from harness.spec.options import Confirm, Protocol

made = runpy.run_path(str(Path(__file__).with_name("made_up.py")))

# Means of trial and fold 2, 6 and 3, 11; of trials 4 and 7; of folds 2.5 and 8.5; of all 5.5. Mean squares: seeds
# 8 * 1 / 4 = 2; folds 2 * 2 * (9 + 9) / 1 = 72; trials with folds 2 * 4 * 1 / 1 = 8.
TINY = [[[1.0, 3.0], [5.0, 7.0]], [[2.0, 4.0], [10.0, 12.0]]]


def test_components_of_a_tiny_layout_are_those_of_its_mean_squares() -> None:
    found = stats.split_components(TINY)
    assert found.mean == 5.5
    assert found.seed_sd == pytest.approx(math.sqrt(2))
    assert found.residual_sd == pytest.approx(math.sqrt((8 - 2) / 2))
    assert found.fold_sd == pytest.approx(math.sqrt((72 - 8) / 4))
    assert (found.trials, found.folds, found.seeds) == (2, 2, 2)


def test_one_trial_has_no_residual_and_its_fold_holds_both() -> None:
    found = stats.split_components(TINY[:1])  # fold means 2 and 6: 2 * (4 + 4) / 1 = 16
    assert (found.mean, found.residual_sd) == (4.0, None)
    assert found.fold_sd == pytest.approx(math.sqrt((16 - 2) / 2))
    assert found.seed_sd == pytest.approx(math.sqrt(2))


def test_how_good_the_trials_are_moves_nothing() -> None:
    shifted = np.array(TINY) + np.array([100.0, -50.0])[:, None, None]
    assert replace(stats.split_components(shifted), mean=5.5) == stats.split_components(TINY)


def test_what_folds_do_not_explain_is_not_below_zero() -> None:
    found = stats.split_components([[[0.0, 2.0], [0.0, 2.0]], [[0.0, 2.0], [0.0, 2.0]]])
    assert (found.fold_sd, found.residual_sd) == (0.0, 0.0)
    assert found.seed_sd == pytest.approx(math.sqrt(2))


def test_known_components_are_found_in_simulated_scores() -> None:
    rng = np.random.default_rng(7)
    fold, seed, residual = 0.04, 0.01, 0.02
    found = []
    for _ in range(2000):
        scores = (
            0.7
            + rng.normal(0, 0.1, size=(3, 1, 1))
            + rng.normal(0, fold, size=(1, 5, 1))
            + rng.normal(0, residual, size=(3, 5, 1))
            + rng.normal(0, seed, size=(3, 5, 2))
        )
        found.append(stats.split_components(scores))
    # Over 2,000 draws the mean variance has a standard error of 2 % at most; cutting at 0 hardly ever happens here.
    assert np.mean([each.fold_sd**2 for each in found]) == pytest.approx(fold**2, rel=0.08)
    assert np.mean([each.seed_sd**2 for each in found]) == pytest.approx(seed**2, rel=0.04)
    assert np.mean([(each.residual_sd or 0) ** 2 for each in found]) == pytest.approx(residual**2, rel=0.04)


@pytest.mark.parametrize("shape", [(2, 2), (0, 2, 2), (1, 1, 2), (1, 2, 1)])
def test_a_layout_that_tells_nothing_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="needs finite scores"):
        stats.split_components(np.zeros(shape))
    with pytest.raises(ValueError, match="needs finite scores"):
        stats.split_components(np.full((2, 2, 2), math.nan))


@pytest.fixture
def study() -> Study:
    spec = made["make_spec"](["reviews"])
    spec = spec.model_copy(update={"protocol": Protocol(folds=3, confirm=Confirm(top=2, repeats=2))})
    return next(study for study in made["make_plan"](spec).studies if study.arm == "full")


def confirm(study: Study, trial: int, first: list[float], again: list[float]) -> TrialRecord:
    """Return a trial with the folds of the search, again with another seed, and on other folds where it scores 0."""
    record = made["score_trial"](study, trial, first)
    further = [
        replace(fold, repeat=repeat, valid_score=score)
        for repeat, scores in ((1, again), (2, [0.0] * len(again)))
        for fold, score in zip(record.folds, scores, strict=True)
    ]
    return replace(record, folds=(*record.folds, *further))


def read_whole(study: Study, *records: TrialRecord) -> list[Whole]:
    return [whole for record in records if (whole := find_whole(study, record))]


def test_components_rest_on_the_confirmed_trials_and_the_folds_that_both_seeds_share(study: Study) -> None:
    first = confirm(study, 0, [0.1, 0.5, 0.9], [0.3, 0.7, 0.9])
    other = confirm(study, 1, [0.2, 0.6, 0.7], [0.2, 0.4, 0.7])
    alone = made["score_trial"](study, 2, [0.9, 0.9, 0.9])  # never confirmed
    found = find_components(read_whole(study, first, other, alone), study)
    layout = [[[0.1, 0.3], [0.5, 0.7], [0.9, 0.9]], [[0.2, 0.2], [0.6, 0.4], [0.7, 0.7]]]
    assert found == stats.split_components(layout)
    assert found is not None
    assert found.mean == pytest.approx(6.2 / 12)
    assert found.seed_sd == pytest.approx(
        math.sqrt(3 * 0.04 / 2 / 6)
    )  # three differences of .2 among six pairs


def test_a_trial_whose_second_seed_lacks_a_fold_is_left_out(study: Study) -> None:
    first = confirm(study, 0, [0.1, 0.5, 0.9], [0.3, 0.7, 0.9])
    torn = confirm(study, 1, [0.2, 0.6, 0.7], [0.2, 0.4, math.nan])
    found = find_components(read_whole(study, first, torn), study)
    assert found == stats.split_components([[[0.1, 0.3], [0.5, 0.7], [0.9, 0.9]]])
    assert find_components(read_whole(study, torn), study) is None


def test_without_confirmation_there_are_no_components(study: Study) -> None:
    record = made["score_trial"](study, 0, [0.1, 0.5, 0.9])
    assert find_components(read_whole(study, record), study) is None
