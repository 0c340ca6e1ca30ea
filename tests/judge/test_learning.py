"""What a cell's best trial scores on less data, and whether more would help."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from harness.judge.comparison import Cell, Comparison
from harness.judge.learning import LearningCurve, measure_gain, trace_learning
from harness.judge.rank import compare_arms, find_best_trial
from harness.judge.stats import corrected_resampled_t
from harness.judge.verdicts import ask_whether_more_data_helps
from harness.plan import Plan
from harness.record.history import History, TrialRecord
from harness.spec.models import Spec
from tests.judge import made_up

FRACTIONS = (0.1, 0.3)
ROWS = {0.1: 40, 0.3: 120, 1.0: 400}
WOBBLE = (-0.012, 0.004, 0.008)


def make_suite() -> tuple[Spec, Plan]:
    spec = made_up.make_spec()
    protocol = spec.protocol.model_copy(update={"fractions": (*FRACTIONS, 1.0)})
    spec = spec.model_copy(update={"protocol": protocol})
    return spec, made_up.make_plan(spec)


def fit_reduced(record: TrialRecord, losses: dict[float, float], folds: int = 3) -> TrialRecord:
    """Return a trial that scores less by `losses` on fractions of its 400 rows, by fold a little more or less."""
    whole = tuple(replace(fold, n_train=400) for fold in record.folds)
    reduced = tuple(
        replace(
            fold,
            fraction=fraction,
            n_train=ROWS[fraction],
            valid_score=(fold.valid_score or 0) - loss * (1 + 0.1 * (fold.fold - 1)),
        )
        for fraction, loss in losses.items()
        for fold in whole[:folds]
    )
    return replace(record, folds=whole, reduced=reduced)


def compare(losses: dict[float, float], folds: int = 3) -> Comparison:
    """Return the made-up run with curves of every trial."""
    spec, plan = make_suite()
    trials = {key: fit_reduced(record, losses, folds) for key, record in made_up.fill_history(plan).items()}
    return compare_arms(plan, History(trials=trials), spec, read=made_up.read)


def cell_of(comparison: Comparison, arm: str) -> Cell:
    return next(cell for cell in comparison.cells if cell.arm == arm and cell.task == "reviews")


def curve_of(comparison: Comparison, arm: str) -> LearningCurve:
    curve = cell_of(comparison, arm).learning_curve
    assert curve is not None
    return curve


def test_a_curve_has_the_mean_of_each_fraction_with_its_corrected_interval() -> None:
    points = curve_of(compare({0.1: 0.2, 0.3: 0.05}), "depth").points
    assert [(point.fraction, point.n_train) for point in points] == [(0.1, 40), (0.3, 120), (1.0, 400)]
    assert [point.score for point in points] == pytest.approx([0.524, 0.674, 0.724])
    assert [point.train_score for point in points] == pytest.approx([0.784] * 3)
    expected = corrected_resampled_t([0.724 + each for each in WOBBLE], test_over_train=200 / 400)
    assert (points[-1].low, points[-1].high) == pytest.approx((expected.low, expected.high))
    scores = [0.724 - 0.2 * factor + each for factor, each in zip((0.9, 1, 1.1), WOBBLE, strict=True)]
    assert points[0].fold_scores == pytest.approx(tuple(scores))
    # The same ratio, of the whole training parts: few rows make folds no more alike.
    expected = corrected_resampled_t(scores, test_over_train=200 / 400)
    assert (points[0].low, points[0].high) == pytest.approx((expected.low, expected.high))


def test_a_curve_is_of_the_trial_that_the_cell_names() -> None:
    spec, plan = make_suite()
    trials = made_up.fill_history(plan)
    study = next(study for study in plan.studies if study.arm == "depth")
    best = find_best_trial(plan, study, History(trials=trials), spec, read=made_up.read)
    assert best == 1
    for trial in range(3):
        fitted = {**trials, (study.id, trial): fit_reduced(trials[study.id, trial], {0.1: 0.2, 0.3: 0.1})}
        comparison = compare_arms(plan, History(trials=fitted), spec, read=made_up.read)
        assert len(curve_of(comparison, "depth").points) == (3 if trial == best else 1)


def test_fractions_change_nothing_else_of_the_comparison() -> None:
    spec = made_up.make_spec()
    plan = made_up.make_plan(spec)
    before = compare_arms(plan, History(trials=made_up.fill_history(plan)), spec, read=made_up.read)
    after = compare({0.1: 0.2, 0.3: 0.05})
    assert [replace(cell, learning_curve=None) for cell in after.cells] == list(before.cells)
    assert (after.ranking, after.pairs) == (before.ranking, before.pairs)
    others = [each for each in after.verdicts if each.question != "would more data help?"]
    assert others == list(before.verdicts)
    assert len(after.verdicts) == len(others) + 3
    assert after.notes == before.notes


def test_a_study_of_an_older_run_keeps_its_name() -> None:
    plan = make_suite()[1]
    assert [study.id for study in plan.studies] == [
        study.id for study in made_up.make_plan(made_up.make_spec()).studies
    ]
    assert {study.fractions for study in plan.studies} == {FRACTIONS}
    study = next(study for study in plan.studies if study.kind == "arm")
    assert study.fits == 3 * 3 + 2 * 3


@pytest.mark.parametrize(
    ("losses", "answer"),
    [
        ({0.1: 0.3, 0.3: 0.1}, "yes"),
        ({0.1: 0.1, 0.3: 0.0}, "no"),
        ({0.1: 0.1, 0.3: 0.004}, "no"),  # surely better, and by less than a point
        ({0.1: 0.1, 0.3: -0.1}, "no"),
    ],
)
def test_whether_more_data_helps_is_asked_of_the_last_rows(losses: dict[float, float], answer: str) -> None:
    comparison = compare(losses)
    verdict = next(
        each
        for each in comparison.verdicts
        if each.task == "reviews" and each.question == "would more data help?"
    )
    assert verdict.answer == answer
    gains = [losses[0.3] * factor for factor in (0.9, 1, 1.1)]
    expected = corrected_resampled_t(gains, test_over_train=0.5)
    assert (verdict.difference, verdict.low, verdict.high) == pytest.approx(
        (expected.mean, expected.low, expected.high)
    )
    assert verdict.sentence.startswith(f"{answer}: from 120 to 400 training rows depth gains ")


def test_folds_that_disagree_cannot_tell_whether_more_data_helps() -> None:
    comparison = compare({0.1: 0.1, 0.3: 0.05})
    cell = cell_of(comparison, "depth")
    curve = curve_of(comparison, "depth")
    shaken = replace(curve.points[1], fold_scores=(0.8, 0.6, 0.7))
    block = [replace(cell, learning_curve=replace(curve, points=(curve.points[0], shaken, curve.points[2])))]
    verdict = ask_whether_more_data_helps(block, comparison.tasks[0])
    assert verdict is not None
    assert verdict.answer == "cannot tell"


def test_a_gain_is_positive_for_better_whatever_the_direction() -> None:
    curve = curve_of(compare({0.1: 0.3, 0.3: 0.1}), "depth")
    up, down = measure_gain(curve, higher_is_better=True), measure_gain(curve, higher_is_better=False)
    assert up is not None
    assert down is not None
    assert up.mean == pytest.approx(0.1)
    assert down.mean == pytest.approx(-0.1)


def test_a_fraction_that_lacks_a_fold_has_no_point_and_a_note() -> None:
    comparison = compare({0.1: 0.2, 0.3: 0.05}, folds=2)
    cell = cell_of(comparison, "depth")
    assert [point.fraction for point in curve_of(comparison, "depth").points] == [1.0]
    assert cell.note == (
        "learning curve: 0.1 has 2 of 3 folds, the same command fits the others; 0.3 has 2 of 3 folds, the same "
        "command fits the others"
    )
    assert "would more data help?" not in {verdict.question for verdict in comparison.verdicts}


def test_a_fold_that_failed_on_less_data_is_told_with_its_reason() -> None:
    _, plan = make_suite()
    study = next(study for study in plan.studies if study.arm == "depth")
    record = fit_reduced(made_up.fill_history(plan)[study.id, 1], {0.1: 0.2, 0.3: 0.05})
    failed = replace(record.reduced[0], state="error", error="no example of 'no'", valid_score=None)
    curve = trace_learning(study, replace(record, reduced=(failed, *record.reduced[1:])))
    assert curve is not None
    assert [point.fraction for point in curve.points] == [0.3, 1.0]
    assert curve.note == "learning curve: 0.1 failed on 1 of 3 folds: no example of 'no'"


def test_a_metric_that_is_undefined_on_a_fold_is_left_out_of_the_mean() -> None:
    _, plan = make_suite()
    study = next(study for study in plan.studies if study.arm == "depth")
    record = fit_reduced(made_up.fill_history(plan)[study.id, 1], {0.3: 0.1})
    undefined = replace(record.reduced[0], valid_score=math.nan)
    curve = trace_learning(study, replace(record, reduced=(undefined, *record.reduced[1:])))
    assert curve is not None
    assert curve.points[0].score == pytest.approx((0.728 - 0.1 + 0.732 - 0.11) / 2)
    gain = measure_gain(curve, higher_is_better=True)
    assert gain is not None
    assert (gain.mean, gain.df) == (pytest.approx(0.105), 1)


def test_a_curve_takes_the_ratio_of_the_folds_that_the_other_tests_of_its_task_take() -> None:
    _, plan = make_suite()
    study = replace(next(each for each in plan.studies if each.arm == "depth"), part_ratio=0.457)
    record = fit_reduced(made_up.score_trial(study, 0, [0.7, 0.72, 0.74]), {0.1: 0.3, 0.3: 0.1})
    curve = trace_learning(study, record)
    assert curve is not None
    expected = corrected_resampled_t([0.7, 0.72, 0.74], test_over_train=0.457)
    assert (curve.points[-1].low, curve.points[-1].high) == pytest.approx((expected.low, expected.high))
