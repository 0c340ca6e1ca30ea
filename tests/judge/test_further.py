"""Further metrics of a cell, and what its locked test says of its validation score."""

from __future__ import annotations

import math
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness import plugins
from harness.judge.comparison import Cell, Comparison, FurtherMetric, FurtherScore, TrialCounts
from harness.judge.evidence import Evidence, Measure, Read
from harness.judge.further import add_further
from harness.judge.rank import compare_arms
from harness.judge.stats import bootstrap_metric
from harness.plan import Plan, Study
from harness.record.history import TrialRecord

made = runpy.run_path(str(Path(__file__).with_name("made_up.py")))
score_trial = made["score_trial"]

TARGETS = np.array([0, 0, 0, 0, 1, 1, 1, 1])
EVIDENCE = Evidence(
    ids=tuple("abcdefgh"),
    groups=None,
    targets=TARGETS,
    weights=np.ones(8),
    predictions=(np.eye(2)[[0, 0, 0, 1, 1, 1, 0, 0]],),
    labels=("no", "yes"),
)


def score_evidence(evidence: Evidence, *names: str, target: str = "classes") -> tuple[FurtherScore, ...]:
    measure = Measure(
        score=lambda *_: 0.0,
        target=plugins.find("targets", target),
        further=tuple((name, plugins.find("metrics", name).score) for name in names),
    )
    cell = Cell(
        study="s",
        task="t",
        backbone="b",
        arm="a",
        kind="arm",
        blocks=6,
        trials=TrialCounts(),
        evidence=evidence,
    )
    return add_further(cell, measure).metrics


def test_each_further_metric_is_that_of_the_pooled_predictions() -> None:
    accuracy, macro = score_evidence(EVIDENCE, "accuracy", "macro-f1")
    assert (accuracy.name, accuracy.value) == ("accuracy", 5 / 8)
    # no: 3 right of 4, 5 predicted, F1 6/9; yes: 2 right of 4, 3 predicted, F1 4/7.
    assert macro.value == pytest.approx((6 / 9 + 4 / 7) / 2)


def test_their_intervals_come_from_the_bags_of_every_other_interval() -> None:
    (found,) = score_evidence(EVIDENCE, "macro-f1")
    drawn = bootstrap_metric(EVIDENCE.predictions[0], TARGETS, plugins.find("metrics", "macro-f1").score)
    assert (found.low, found.high) == (drawn.low, drawn.high)
    assert drawn.low < drawn.high


def test_groups_are_drawn_whole() -> None:
    (found,) = score_evidence(replace(EVIDENCE, groups=("g",) * 8), "accuracy")
    assert (found.value, found.low, found.high) == (5 / 8, 5 / 8, 5 / 8)


def test_weights_count() -> None:
    weights = np.array([3, 1, 1, 1, 1, 1, 1, 1])
    (found,) = score_evidence(replace(EVIDENCE, weights=weights), "accuracy")
    assert found.value == 7 / 10


def test_numbers_have_further_metrics_too() -> None:
    evidence = replace(
        EVIDENCE,
        labels=(),
        targets=np.array([1.0, 2.0, 3.0, 4.0]),
        predictions=(np.array([3.0, 4.0, 5.0, 6.0]),),
        weights=np.ones(4),
        groups=("g",) * 4,
    )
    rmse, pearson = score_evidence(evidence, "rmse", "pearson", target="values")
    assert (rmse.value, rmse.low, rmse.high) == (2, 2, 2)
    assert pearson.value == pytest.approx(1)


def test_a_metric_that_is_undefined_has_no_number() -> None:
    one = replace(EVIDENCE, targets=np.zeros(8, dtype=np.int64))
    (found,) = score_evidence(one, "auc")
    assert found == FurtherScore(name="auc", value=None, low=None, high=None)


def plan_reviews(*metrics: str, metric: str = "macro-f1", higher: bool = True) -> Plan:
    """Return a plan of one task that records further metrics."""
    plan: Plan = made["make_plan"](made["make_spec"](["reviews"]), metric=metric, higher_is_better=higher)
    facts = plan.survey.tasks["reviews"]
    survey = replace(plan.survey, tasks={"reviews": replace(facts, metrics=(metric, *metrics))})
    return replace(plan, survey=survey)


def find_study(plan: Plan) -> Study:
    return next(study for study in plan.studies if study.arm == "full")


def compare(plan: Plan, *records: TrialRecord, read: Read = lambda fold: None) -> Comparison:
    return compare_arms(plan, made["make_history"](records), made["make_spec"](["reviews"]), read=read)


def pick(comparison: Comparison) -> Cell:
    return next(cell for cell in comparison.cells if cell.arm == "full")


def test_a_comparison_has_the_further_metrics_of_its_tasks_and_cells() -> None:
    plan = plan_reviews("accuracy", "log-loss")
    comparison = compare(plan, score_trial(find_study(plan), 0, [0.6, 0.7, 0.8]), read=made["read"])
    assert comparison.tasks[0].metrics == (
        FurtherMetric(name="accuracy", higher_is_better=True, bounds=(0.0, 1.0)),
        FurtherMetric(name="log-loss", higher_is_better=False, bounds=(0.0, math.inf)),
    )
    accuracy, loss = pick(comparison).metrics
    assert (accuracy.name, accuracy.value) == ("accuracy", pytest.approx(0.7))
    assert accuracy.low is not None
    assert accuracy.high is not None
    assert 0.65 < accuracy.low < 0.7 < accuracy.high < 0.75
    assert loss.name == "log-loss"
    assert all(cell.metrics == () for cell in comparison.cells if cell.score is None)


def test_a_metric_that_this_process_does_not_know_is_left_out() -> None:
    plan = plan_reviews("accuracy", "of-a-plug-in")
    comparison = compare(plan, score_trial(find_study(plan), 0, [0.6, 0.7, 0.8]), read=made["read"])
    assert [metric.name for metric in comparison.tasks[0].metrics] == ["accuracy"]
    assert [score.name for score in pick(comparison).metrics] == ["accuracy"]


def test_without_predictions_there_are_no_further_metrics() -> None:
    plan = plan_reviews("accuracy")
    assert pick(compare(plan, score_trial(find_study(plan), 0, [0.6, 0.7, 0.8]))).metrics == ()


def open_test(record: TrialRecord, score: float) -> TrialRecord:
    return replace(record, test=replace(record.folds[0], fold=3, valid_score=score))


def test_the_gap_to_the_test_is_positive_where_validation_flattered() -> None:
    plan = plan_reviews()
    record = open_test(score_trial(find_study(plan), 0, [0.6, 0.7, 0.8]), 0.65)
    cell = pick(compare(plan, record, read=made["read"]))
    assert (cell.test_score, cell.test_gap) == (0.65, pytest.approx(0.05))
    assert cell.gap == pytest.approx(0.06)  # so training scores .11 better than the test


def test_the_gap_to_the_test_of_an_error_is_positive_where_the_test_is_higher() -> None:
    plan = plan_reviews(metric="log-loss", higher=False)
    record = open_test(score_trial(find_study(plan), 0, [0.3, 0.3, 0.3]), 0.5)
    assert pick(compare(plan, record)).test_gap == pytest.approx(0.2)


def test_a_stale_test_keeps_the_gap_of_the_trial_that_took_it() -> None:
    plan = plan_reviews()
    former = open_test(score_trial(find_study(plan), 0, [0.6, 0.6, 0.6]), 0.5)
    better = score_trial(find_study(plan), 1, [0.8, 0.8, 0.8])
    cell = pick(compare(plan, former, better))
    assert (cell.trial, cell.test_gap) == (1, pytest.approx(0.1))


@pytest.mark.parametrize("score", [math.nan, None])
def test_a_test_without_a_score_has_no_gap(score: float | None) -> None:
    plan = plan_reviews()
    record = score_trial(find_study(plan), 0, [0.6, 0.7, 0.8])
    assert record.test is None
    assert pick(compare(plan, record)).test_gap is None
    tested = replace(record, test=replace(record.folds[0], fold=3, valid_score=score))
    assert pick(compare(plan, tested)).test_gap is None


def test_a_cell_holds_its_depths_and_without_confirmation_no_components() -> None:
    plan = plan_reviews()
    cell = pick(compare(plan, score_trial(find_study(plan), 0, [0.6, 0.7, 0.8]), read=made["read"]))
    assert [(depth.depth, depth.trials) for depth in cell.depths] == [(0, 1)]
    assert cell.depths[0].score == pytest.approx(0.7)
    assert cell.components is None
