"""The best trial at each depth, with the interval of its folds."""

from __future__ import annotations

import math
import runpy
from dataclasses import replace
from pathlib import Path

import pytest

from harness.judge.by_depth import DepthScore, score_depths
from harness.judge.whole import Whole, find_whole
from harness.plan import Study

made = runpy.run_path(str(Path(__file__).with_name("made_up.py")))


def make_whole(study: Study, trial: int, depth: int, scores: list[float]) -> Whole:
    record = made["score_trial"](study, trial, scores)
    assert record.candidate is not None
    whole = find_whole(study, replace(record, candidate=replace(record.candidate, freeze_depth=depth)))
    assert whole is not None
    return whole


def find_study(**options: object) -> Study:
    plan = made["make_plan"](made["make_spec"](["reviews"]), **options)
    return next(study for study in plan.studies if study.arm == "full")


def test_each_depth_has_the_mean_of_its_best_trial_with_the_corrected_interval() -> None:
    study = find_study()
    trials = [
        make_whole(study, 0, 4, [0.6, 0.7, 0.8]),
        make_whole(study, 1, 0, [0.5, 0.5, 0.5]),
        make_whole(study, 2, 4, [0.6, 0.6, 0.6]),
    ]
    shallow, deep = score_depths(trials, study)
    assert shallow == DepthScore(depth=0, score=0.5, low=0.5, high=0.5, trials=1)
    assert (deep.depth, deep.trials) == (4, 2)
    assert deep.score == pytest.approx(0.7)
    # s = .1 over 3 folds; se = .1 * sqrt(1/3 + 1/2) = .0912871; t of 2 degrees of freedom 4.302653.
    assert (deep.low, deep.high) == (pytest.approx(0.307223, abs=1e-6), pytest.approx(1.092777, abs=1e-6))


def test_the_best_of_an_error_is_the_lowest() -> None:
    study = find_study(metric="rmse", higher_is_better=False)
    trials = [make_whole(study, 0, 2, [3.0, 3.0, 3.0]), make_whole(study, 1, 2, [2.0, 2.0, 2.0])]
    assert [depth.score for depth in score_depths(trials, study)] == [2.0]


def test_one_defined_fold_has_no_interval_and_does_not_win_over_three() -> None:
    study = find_study()
    lucky = make_whole(study, 0, 2, [0.9, math.nan, math.nan])
    (alone,) = score_depths([lucky], study)
    assert (alone.score, alone.low, alone.high) == (0.9, None, None)
    (both,) = score_depths([lucky, make_whole(study, 1, 2, [0.6, 0.6, 0.6])], study)
    assert (both.score, both.trials) == (0.6, 2)


def test_a_baseline_has_no_depth() -> None:
    study = next(
        study
        for study in made["make_plan"](made["make_spec"](["reviews"])).studies
        if study.kind == "baseline"
    )
    whole = find_whole(study, made["score_trial"](study, 0, [0.6, 0.7, 0.8]))
    assert whole is not None
    assert score_depths([whole], study) == ()
