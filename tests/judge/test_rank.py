"""Cells and ranks from what a ledger says."""

from __future__ import annotations

import math
import random
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.judge.comparison import Cell, Comparison
from harness.judge.evidence import Read
from harness.judge.rank import compare_arms
from harness.plan import Study
from harness.record.history import History, TrialRecord
from harness.record.scores import FoldScore, Predictions
from harness.spec.options import Confirm, Protocol

made = runpy.run_path(str(Path(__file__).with_name("made_up.py")))
make_spec, make_plan, make_history = made["make_spec"], made["make_plan"], made["make_history"]
score_trial, fill_history = made["score_trial"], made["fill_history"]


LOST = "its predictions cannot be read: the mean over folds, not corrected"


def pick(comparison: Comparison, task: str, arm: str) -> Cell:
    (cell,) = [cell for cell in comparison.cells if (cell.task, cell.arm) == (task, arm)]
    return cell


def compare(records: list[TrialRecord], *, read: Read = lambda fold: None, **options: object) -> Comparison:
    spec = make_spec(["reviews"])
    return compare_arms(make_plan(spec, **options), make_history(records), spec, read=read)


def find_study(**options: object) -> Study:
    """Return the study of reviews x minilm x full."""
    plan = make_plan(make_spec(["reviews"]), **options)
    return next(study for study in plan.studies if study.arm == "full")


@pytest.fixture
def study() -> Study:
    return find_study()


@pytest.fixture(scope="module")
def whole() -> Comparison:
    return made["compare_made_up"]()


def test_a_cell_is_its_best_complete_trial(whole: Comparison) -> None:
    cell = pick(whole, "reviews", "depth")
    assert (cell.trial, cell.depth, cell.blocks) == (1, 4, 6)
    assert cell.raw_best == pytest.approx(0.724, abs=0.003)
    assert cell.candidate is not None
    assert cell.candidate.head_lr == 2e-3
    assert cell.train_score == pytest.approx(0.784)
    assert cell.gap == pytest.approx(0.06)
    assert cell.fit_s == pytest.approx(0.9)
    assert cell.trainable_parameters == 3_600_000
    assert (cell.trials.ok, cell.trials.pruned, cell.trials.failed) == (3, 0, 0)
    assert cell.note == ""


def test_a_score_is_corrected_for_having_chosen_the_best_trial(whole: Comparison) -> None:
    for cell in whole.cells:
        assert cell.score is not None
        assert cell.raw_best is not None
        assert cell.optimism == pytest.approx(cell.raw_best - cell.score)
        assert (cell.optimism > 0) == (cell.kind == "arm")  # a baseline has nothing to choose from
        assert cell.low < cell.score < cell.high
    alone = compare([score_trial(find_study(), 0, [0.6, 0.7, 0.8])], read=made["read"])
    assert pick(alone, "reviews", "full").optimism == 0


def test_bags_draw_twins_as_one_piece_of_evidence() -> None:
    """Every example twice says no more than each once: twins drawn one by one would narrow the interval by 1/sqrt 2."""
    trial = score_trial(find_study(), 0, [0.6, 0.7, 0.8])

    def read_once(fold: FoldScore) -> Predictions:
        return made["read"](fold)

    def read_twice(fold: FoldScore) -> Predictions:
        told = made["read"](fold)
        return replace(
            told,
            ids=(*told.ids, *(f"{name}-2" for name in told.ids)),
            clusters=told.ids * 2,
            targets=told.targets * 2,
            values=told.values * 2,
            probabilities=np.concatenate([told.probabilities] * 2),
        )

    once, twice = (pick(compare([trial], read=read), "reviews", "full") for read in (read_once, read_twice))
    assert (twice.score, twice.low, twice.high) == pytest.approx((once.score, once.low, once.high))


def test_a_metric_that_a_fold_does_not_define_is_pooled() -> None:
    """Each fold holds one class: its AUC is undefined, that of all of them is not."""
    study = find_study(metric="auc")
    trial = score_trial(study, 0, [0.5, 0.5, math.nan])

    def read(fold: FoldScore) -> Predictions:
        told = made["read"](replace(fold, valid_score=1.0))
        return replace(told, targets=(("no", "yes", "yes")[fold.fold],) * len(told.ids))

    assert pick(compare([trial], metric="auc", read=read), "reviews", "full").score == pytest.approx(
        0.5, abs=0.1
    )


def test_without_predictions_a_score_is_a_mean_and_says_so(study: Study) -> None:
    cell = pick(compare([score_trial(study, 0, [0.6, 0.7, 0.8])]), "reviews", "full")
    assert (cell.score, cell.low, cell.optimism) == (pytest.approx(0.7), None, None)
    assert cell.note == LOST


def test_a_metric_that_falls_is_best_at_its_lowest() -> None:
    study = find_study(metric="log-loss", higher_is_better=False)
    trials = [
        score_trial(study, trial, [level] * 2 + [level + 0.1]) for trial, level in enumerate([0.5, 0.4, 0.6])
    ]
    cell = pick(compare(trials, metric="log-loss", higher_is_better=False), "reviews", "full")
    assert cell.trial == 1
    assert cell.gap == pytest.approx(-0.06)


def test_tied_trials_go_to_fewer_trained_parameters_then_to_the_lower_number(study: Study) -> None:
    def trial(number: int, scores: list[float], parameters: int) -> TrialRecord:
        record = score_trial(study, number, scores)
        return replace(
            record, folds=tuple(replace(fold, trainable_parameters=parameters) for fold in record.folds)
        )

    noisy = [0.1, 0.2, 0.6]  # the same mean but for the noise of summing
    trials = [trial(0, [0.3] * 3, 900), trial(2, noisy, 100), trial(1, [0.2, 0.3, 0.4], 100)]
    assert pick(compare(trials), "reviews", "full").trial == 1


def test_the_cheaper_candidate_is_within_one_standard_error_and_its_regret_is_told(study: Study) -> None:
    def trial(number: int, scores: list[float], parameters: int, depth: int) -> TrialRecord:
        record = score_trial(study, number, scores)
        assert record.candidate is not None
        folds = tuple(replace(fold, trainable_parameters=parameters) for fold in record.folds)
        return replace(record, candidate=replace(record.candidate, freeze_depth=depth), folds=folds)

    dear = trial(0, [0.80, 0.84, 0.82], 900, 0)
    cheap = trial(1, [0.80, 0.82, 0.81], 100, 4)
    bad = trial(2, [0.50, 0.52, 0.51], 10, 6)
    comparison = compare([dear, cheap, bad], read=made["read"])
    cell = pick(comparison, "reviews", "full")
    assert cell.trial == 0
    assert cell.deploy is not None
    assert (cell.deploy.trial, cell.deploy.depth, cell.deploy.trainable_parameters) == (1, 4, 100)
    assert cell.deploy.low <= cell.deploy.regret <= cell.deploy.high
    assert cell.deploy.regret == pytest.approx(0.01, abs=0.02)
    asked = {verdict.question: verdict for verdict in comparison.verdicts}
    assert "trial 1 of full freezes 4 of 6 blocks" in asked["what would a cheaper candidate cost?"].sentence
    assert pick(compare([cheap, bad], read=made["read"]), "reviews", "full").deploy is None  # 10 is far worse


def test_chances_of_being_the_best_arm_sum_to_one(whole: Comparison) -> None:
    for task in whole.tasks:
        arms = [cell for cell in whole.cells if cell.task == task.name and cell.kind == "arm"]
        assert sum(cell.p_best or 0 for cell in arms) == pytest.approx(1.0)
        assert max(arms, key=lambda cell: cell.p_best or 0).score == max(cell.score or 0 for cell in arms)
    assert all(cell.p_best is None for cell in whole.cells if cell.kind == "baseline")


def confirm_trial(record: TrialRecord, again: float, other: float) -> TrialRecord:
    """Return a trial with two further repeats: `again` on the same folds, `other` on other ones."""
    further = [
        replace(fold, repeat=repeat, valid_score=score)
        for repeat, score in ((1, again), (2, other))
        for fold in record.folds
    ]
    return replace(record, folds=(*record.folds, *further))


def test_the_winner_is_the_confirmed_trial_with_the_best_mean_over_all_of_its_folds() -> None:
    spec = make_spec(["reviews"])
    spec = spec.model_copy(update={"protocol": Protocol(folds=3, confirm=Confirm(top=2, repeats=2))})
    plan = make_plan(spec)
    study = next(study for study in plan.studies if study.arm == "full")
    lucky = confirm_trial(score_trial(study, 0, [0.8, 0.8, 0.8]), 0.6, 0.6)
    steady = confirm_trial(score_trial(study, 1, [0.75, 0.75, 0.75]), 0.74, 0.76)
    alone = score_trial(study, 2, [0.79, 0.79, 0.79])  # not among the best two, so never confirmed
    cell = pick(
        compare_arms(plan, make_history([lucky, steady, alone]), spec, read=made["read"]), "reviews", "full"
    )
    assert cell.trial == 1
    assert cell.seed_sd == pytest.approx(math.sqrt((0.2**2 + 0.01**2) / 2 / 2))
    assert cell.raw_best == pytest.approx(0.8, abs=0.003)  # what the search alone would have reported


def test_pruned_trials_are_counted_and_never_averaged_in(study: Study) -> None:
    pruned = replace(score_trial(study, 0, [0.99]), state="pruned", reason="below the median")
    cell = pick(compare([pruned, score_trial(study, 1, [0.6, 0.7, 0.8])]), "reviews", "full")
    assert cell.score == pytest.approx(0.7)
    assert (cell.trials.ok, cell.trials.pruned) == (1, 1)
    assert cell.note == f"1 pruned of 2 trials, not in the score; {LOST}"


def test_a_complete_trial_that_lacks_a_fold_is_not_a_score(study: Study) -> None:
    cell = pick(compare([score_trial(study, 0, [0.6, 0.7])]), "reviews", "full")
    assert cell.score is None
    assert cell.note == "no complete trial (1 without all of its 3 folds)"


def test_a_trial_does_not_win_by_being_undefined_where_others_are_not(study: Study) -> None:
    trials = [score_trial(study, 0, [0.9, math.nan, 0.9]), score_trial(study, 1, [0.6, 0.1, 0.6])]
    assert pick(compare(trials), "reviews", "full").trial == 1


def test_a_score_that_is_undefined_on_every_fold_is_missing(study: Study) -> None:
    cell = pick(compare([score_trial(study, 0, [math.nan] * 3)]), "reviews", "full")
    assert cell.score is None
    assert cell.note == "the metric is undefined on every fold"


def test_a_missing_cell_says_what_became_of_its_trials() -> None:
    comparison = made["compare_with_a_hole"]()
    cell = pick(comparison, "intents", "full")
    assert (cell.score, cell.low, cell.gap, cell.depth, cell.candidate) == (None,) * 5
    assert cell.note == "no complete trial (2 failed, 1 pruned): out of memory"
    assert pick(compare([]), "reviews", "full").note == "no trial has run yet"


def test_baselines_are_cells_without_a_candidate() -> None:
    cell = pick(made["compare_made_up"](), "intents", "probe")
    assert (cell.kind, cell.depth, cell.candidate, cell.blocks) == ("baseline", None, None, 6)
    assert cell.score == pytest.approx(0.771, abs=0.003)


def test_arms_are_ranked_over_the_blocks_and_baselines_are_not() -> None:
    ranking = made["compare_made_up"]().ranking
    assert ranking.blocks == 3
    assert [(row.arm, row.mean_rank) for row in ranking.rows] == [
        ("depth", pytest.approx(4 / 3)),
        ("full", pytest.approx(5 / 3)),
        ("head-only", 3.0),
    ]


def test_a_mean_rank_over_few_tasks_has_the_interval_of_their_examples_and_says_so(whole: Comparison) -> None:
    for row in whole.ranking.rows:
        assert row.low <= row.mean_rank <= row.high
    assert sum(row.p_best for row in whole.ranking.rows) == pytest.approx(1.0)
    assert any("over the examples of 3 tasks, not over tasks" in note for note in whole.notes)


def test_a_mean_rank_over_few_tasks_without_predictions_has_no_interval_and_says_why() -> None:
    plan, spec = make_plan(make_spec()), make_spec()
    comparison = compare_arms(plan, History(trials=fill_history(plan)), spec)
    assert all(row.low is None and row.high is None for row in comparison.ranking.rows)
    assert any("fewer than 6 to resample" in note for note in comparison.notes)


def test_a_block_that_lacks_an_arm_is_not_ranked_and_is_named() -> None:
    comparison = made["compare_with_a_hole"]()
    assert comparison.ranking.blocks == 2
    assert any(
        "Ranked over 2 of 3" in note and "intents x minilm lacks full" in note for note in comparison.notes
    )
    assert "The ledger lost 1 line." in comparison.notes


def test_nothing_at_all_is_a_comparison_too() -> None:
    comparison = compare([])
    assert [row.mean_rank for row in comparison.ranking.rows] == [None, None, None]
    assert comparison.ranking.blocks == 0


def test_order_and_names_change_no_number() -> None:
    names = [f"task-{letter}" for letter in "abcdefgh"]
    numbers = {name: random.Random(name) for name in names}
    spec = make_spec(names)
    plan = make_plan(spec)
    levels = {(study.task, study.arm): numbers[study.task].random() for study in plan.studies}
    trials = [
        score_trial(study, 0, [levels[study.task, study.arm] + wobble for wobble in made["WOBBLE"]])
        for study in plan.studies
    ]
    first = compare_arms(plan, make_history(trials), spec)
    shuffled = make_spec(names[::-1])
    shuffled = shuffled.model_copy(update={"arms": dict(reversed(spec.arms.items()))})
    second = compare_arms(make_plan(shuffled), make_history(trials[::-1]), shuffled)
    assert {row.arm: row for row in first.ranking.rows} == {row.arm: row for row in second.ranking.rows}
    assert set(first.cells) == set(second.cells)
    assert first.ranking.rows[0].low is not None
    assert first.ranking.rows[0].low < first.ranking.rows[0].mean_rank < first.ranking.rows[0].high

    renamed = make_spec([name.replace("task", "zzz") for name in names])
    history = History(
        trials={
            (study.id, 0): replace(record, study=study.id)
            for study, record in zip(make_plan(renamed).studies, trials, strict=True)
        }
    )
    third = compare_arms(make_plan(renamed), history, renamed)
    assert third.ranking == first.ranking
    assert [cell.score for cell in third.cells] == [cell.score for cell in first.cells]


def test_several_backbones_make_one_block_each() -> None:
    spec = make_spec(["reviews"], ["minilm", "bert"])
    plan = make_plan(spec)
    comparison = compare_arms(plan, History(trials=fill_history(plan)), spec)
    assert comparison.ranking.blocks == 2
    assert {cell.backbone for cell in comparison.cells} == {"minilm", "bert"}
