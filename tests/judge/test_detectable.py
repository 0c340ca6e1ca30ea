"""The smallest difference that folds would find: the formula, the pilot, the assumption."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from harness.judge.detectable import find_detectable
from harness.judge.stats import (
    corrected_resampled_t,
    corrected_t_power,
    count_effective,
    detectable_difference,
    detectable_share,
)
from harness.record.history import History
from harness.spec.options import Nested
from tests.judge import made_up


def simulate(gain: float, *, discordance: float, examples: int = 1000, folds: int = 5) -> float:
    """Return in which share of 600 runs the corrected t finds a planted gain."""
    rng = np.random.default_rng(7)
    found = 0
    for _ in range(600):
        drawn = rng.random(examples)
        outcomes = np.where(drawn < (discordance + gain) / 2, 1, np.where(drawn < discordance, -1, 0))
        differences = outcomes.reshape(folds, -1).mean(axis=1)
        found += corrected_resampled_t(differences, test_over_train=1 / (folds - 1)).p < 0.05
    return found / 600


@pytest.mark.parametrize(
    ("discordance", "measured"), [(0.03, 0.85), (0.06, 0.49), (0.10, 0.32), (0.20, 0.15)]
)
def test_the_power_of_the_formula_is_about_that_of_simulated_runs(
    discordance: float, measured: float
) -> None:
    formula = corrected_t_power(0.03, math.sqrt(discordance / 200), folds=5)
    assert simulate(0.03, discordance=discordance) == pytest.approx(measured, abs=0.06)
    assert formula == pytest.approx(measured, abs=0.08)


def test_the_smallest_detectable_difference_is_found_in_four_of_five_simulated_runs() -> None:
    gain = detectable_share(1000, discordance=0.06, folds=5)
    assert gain == pytest.approx(0.0437, abs=1e-4)
    assert 0.75 <= simulate(gain, discordance=0.06) <= 0.93


def test_the_detectable_difference_inverts_the_power() -> None:
    for folds, repeats in ((2, 1), (5, 1), (5, 3), (10, 10)):
        found = detectable_difference(0.02, folds=folds, repeats=repeats)
        assert corrected_t_power(found, 0.02, folds=folds, repeats=repeats) == pytest.approx(0.8, abs=1e-9)


def test_the_ratio_of_test_and_training_parts_is_that_of_the_test() -> None:
    plain = detectable_difference(0.02, folds=5)
    assert detectable_difference(0.02, folds=5, test_over_train=0.25) == plain
    # sqrt(1/5 + 1/20) against sqrt(1/5 + 1/4)
    assert detectable_difference(0.02, folds=5, test_over_train=0.05) == pytest.approx(
        plain * math.sqrt(0.25 / 0.45)
    )


def test_no_difference_is_found_as_often_as_the_level_says() -> None:
    assert corrected_t_power(0.0, 0.02, folds=5) == pytest.approx(0.05, abs=1e-12)


def test_four_times_the_examples_halve_the_detectable_share() -> None:
    many, few = (detectable_share(n, discordance=0.1, folds=10) for n in (4000, 1000))
    assert few == pytest.approx(2 * many)


def test_a_difference_beyond_the_discordance_raises_the_discordance() -> None:
    found = detectable_share(100, discordance=0.1, folds=5)
    assert found > 0.1
    assert found == pytest.approx(detectable_share(100, discordance=found, folds=5))


def test_too_few_examples_find_nothing_at_all() -> None:
    assert detectable_share(20, discordance=0.1, folds=2) == math.inf


def test_examples_of_a_group_tell_less_than_as_many_groups_of_one() -> None:
    assert count_effective(600, None, alike=0.1) == 600
    assert count_effective(600, 600, alike=0.1) == 600
    assert count_effective(600, 60, alike=0.1) == pytest.approx(600 / 1.9)
    assert count_effective(600, 60, alike=1.0) == pytest.approx(60)


NO_HISTORY = History(trials={})


def test_without_a_pilot_the_number_of_examples_tells() -> None:
    found = find_detectable(made_up.make_plan(made_up.make_spec()), NO_HISTORY, made_up.make_spec())
    assert [each.task for each in found] == list(made_up.TASKS)
    for each in found:
        assert (each.basis, each.effective, each.discordance) == ("assumed", 600, 0.1)
        assert each.difference == detectable_share(600, discordance=0.1, folds=3)
        assert each.with_more == detectable_share(600, discordance=0.1, folds=10)


def test_the_assumed_discordance_is_the_users_to_give() -> None:
    plan = made_up.make_plan(made_up.make_spec())
    (few, *_), (many, *_) = (
        find_detectable(plan, NO_HISTORY, made_up.make_spec(), discordance=share) for share in (0.01, 0.4)
    )
    assert few.difference is not None
    assert many.difference is not None
    assert few.difference < many.difference


def test_what_is_locked_away_finds_nothing() -> None:
    spec = made_up.make_spec()
    spec = spec.model_copy(update={"protocol": spec.protocol.model_copy(update={"test": 0.5})})
    (first, *_) = find_detectable(made_up.make_plan(spec), NO_HISTORY, spec)
    assert first.effective == 300


def test_a_pilot_of_two_arms_replaces_the_assumption() -> None:
    spec = made_up.make_spec()
    plan = made_up.make_plan(spec)
    studies = {study.arm: study for study in plan.studies if study.task == "reviews"}
    records = [
        made_up.score_trial(studies["depth"], 0, [0.5, 0.5, 0.5]),
        made_up.score_trial(studies["depth"], 1, [0.7, 0.8, 0.9]),  # the best of its arm
        made_up.score_trial(studies["full"], 0, [0.7, 0.7, 0.7]),
    ]
    found = find_detectable(plan, made_up.make_history(records), spec)
    reviews, others = found[0], found[1:]
    assert reviews.basis == "pilot"
    assert reviews.sd == pytest.approx(0.1)  # of 0, .1, .2
    assert reviews.difference == pytest.approx(detectable_difference(0.1, folds=3))
    assert reviews.with_more == pytest.approx(detectable_difference(0.1 * math.sqrt(10 / 3), folds=10))
    assert {each.basis for each in others} == {"assumed"}


def test_arms_that_never_differ_are_no_pilot() -> None:
    spec = made_up.make_spec()
    plan = made_up.make_plan(spec)
    pair = [study for study in plan.studies if study.task == "reviews" and study.kind == "arm"][:2]
    history = made_up.make_history(made_up.score_trial(study, 0, [0.7, 0.8, 0.9]) for study in pair)
    assert find_detectable(plan, history, spec)[0].basis == "assumed"


def test_one_arm_is_no_pilot() -> None:
    spec = made_up.make_spec()
    plan = made_up.make_plan(spec)
    study = next(study for study in plan.studies if study.kind == "arm")
    history = made_up.make_history([made_up.score_trial(study, 0, [0.7, 0.8, 0.9])])
    assert find_detectable(plan, history, spec)[0].basis == "assumed"


@pytest.mark.parametrize("metric", ["rmse", "mcc", "somebodys-own"])
def test_a_metric_that_is_no_share_needs_a_pilot(metric: str) -> None:
    spec = made_up.make_spec(metric=metric)
    found = find_detectable(made_up.make_plan(spec, metric=metric), NO_HISTORY, spec)
    assert {(each.basis, each.difference) for each in found} == {("unknown", None)}
    assert {each.points for each in found} == {metric == "mcc"}


def test_groups_are_counted_for_what_they_are_worth() -> None:
    spec = made_up.make_spec(tasks=["reviews"])
    plan = made_up.make_plan(spec)
    facts = {name: replace(facts, groups=8) for name, facts in plan.survey.tasks.items()}
    plan = replace(plan, survey=replace(plan.survey, tasks=facts))
    (found,) = find_detectable(plan, NO_HISTORY, spec)
    assert found.effective == pytest.approx(600 / (1 + 74 * 0.1))
    assert found.with_more is None  # eight groups make no ten folds


def test_a_nested_protocol_compares_arms_on_its_outer_folds() -> None:
    spec = made_up.make_spec()
    nested = spec.protocol.model_copy(update={"nested": Nested(outer=4, inner=2)})
    spec = spec.model_copy(update={"protocol": nested})
    plan = made_up.make_plan(spec)
    (first, *_) = find_detectable(plan, NO_HISTORY, spec)
    assert (first.folds, first.basis, first.effective) == (4, "assumed", 600)
    scores = {"depth": (0.7, 0.8, 0.9, 0.8), "full": (0.7, 0.7, 0.7, 0.7)}
    records = []
    for study in plan.studies:
        if study.task == "reviews" and study.arm in scores:
            assert study.outer_fold is not None
            trial = made_up.score_trial(study, 0, [0.5, 0.6])
            test = replace(trial.folds[0], valid_score=scores[study.arm][study.outer_fold])
            records.append(replace(trial, test=test))
    (pilot, *_) = find_detectable(plan, made_up.make_history(records), spec)
    assert (pilot.folds, pilot.basis) == (4, "pilot")
    assert pilot.sd == pytest.approx(math.sqrt(0.02 / 3))  # of 0, .1, .2, .1
    assert find_detectable(plan, made_up.make_history(records[1:]), spec)[0].basis == "assumed"
    # A later trial that was best once, and one whose test failed: the pilot rests on the winners, as the table does.
    former = []
    for record in records:
        assert record.test is not None
        folds = tuple(replace(fold, trial=1, valid_score=0.1) for fold in record.folds)
        former.append(replace(record, trial=1, folds=folds, test=replace(record.test, valid_score=0.3)))
        failed = replace(record.test, state="failed", valid_score=None)
        former.append(replace(record, trial=2, folds=folds, test=failed))
    assert find_detectable(plan, made_up.make_history([*records, *former]), spec)[0] == pilot


def test_a_single_fold_has_no_power() -> None:
    with pytest.raises(ValueError, match="2 folds"):
        detectable_difference(0.02, folds=1)
    with pytest.raises(ValueError, match="discordance"):
        detectable_share(100, discordance=0, folds=5)
