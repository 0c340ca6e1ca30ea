"""Arms that were not given the same are told apart, and every format says so."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from harness.candidate import Space
from harness.judge.budgets import tell_budgets, weigh_budgets
from harness.judge.comparison import Comparison
from harness.judge.rank import compare_arms
from harness.plan import Study
from harness.record.history import TrialRecord
from harness.report import csv as as_csv
from harness.report import html, latex, markdown, terminal
from harness.report import json as as_json
from tests.judge import made_up, made_up_tasks


def make_study(arm: str, trials: int = 20, *, task: str = "reviews", patience: int | None = None) -> Study:
    return Study(
        id=f"{task}-{arm}",
        task=task,
        backbone="minilm",
        arm=arm,
        kind="arm",
        space=Space(method="full", blocks=6, values=(), patience=patience),
        trials=trials,
        repeats=1,
        folds=5,
        higher_is_better=True,
        blocks=6,
    )


def spend(study: Study, *, ok: int = 0, pruned: int = 0, failed: int = 0) -> list[TrialRecord]:
    states = ["complete"] * ok + ["pruned"] * pruned + ["failed"] * failed
    return [
        TrialRecord(study=study.id, trial=trial, candidate=None, state=state)
        for trial, state in enumerate(states)
    ]


DEPTH, HEAD, FULL = make_study("depth"), make_study("head-only"), make_study("full")


def tell(*studies: Study, **spent: list[TrialRecord]) -> tuple[str, ...]:
    trials = {study.id: spent[study.arm.replace("-", "_")] for study in studies}
    return tell_budgets(weigh_budgets(studies, trials, asked=20), studies)


def test_an_arm_with_more_trials_is_favoured() -> None:
    assert tell(DEPTH, HEAD, depth=spend(DEPTH, ok=20), head_only=spend(HEAD, ok=7)) == (
        "Budgets: depth had 20 trials, head-only 7: the comparison favours depth.",
    )
    (budget,) = weigh_budgets(
        (DEPTH, HEAD), {DEPTH.id: spend(DEPTH, ok=20), HEAD.id: spend(HEAD, ok=7)}, asked=20
    )
    assert budget.unequal
    assert [(share.arm, share.trials, share.fits_a_trial) for share in budget.shares] == [
        *(("depth", 20, 5), ("head-only", 7, 5)),
    ]


def test_two_arms_with_more_trials_are_both_named() -> None:
    spent = {"depth": spend(DEPTH, ok=20), "head_only": spend(HEAD, ok=7), "full": spend(FULL, ok=20)}
    assert tell(DEPTH, HEAD, FULL, **spent) == (
        "Budgets: depth and full had 20 trials, head-only 7: the comparison favours depth and full.",
    )


def test_pruned_and_failed_trials_are_spent_budget() -> None:
    assert (
        tell(DEPTH, HEAD, depth=spend(DEPTH, ok=20), head_only=spend(HEAD, ok=3, pruned=10, failed=7)) == ()
    )


def test_an_arm_with_few_candidates_is_exhausted_and_not_at_a_disadvantage() -> None:
    grid, single = make_study("grid", trials=6), make_study("single", trials=1)
    studies = (DEPTH, grid, single)
    trials = {DEPTH.id: spend(DEPTH, ok=20), grid.id: spend(grid, ok=6), single.id: spend(single, ok=1)}
    (budget,) = weigh_budgets(studies, trials, asked=20)
    assert not budget.unequal
    assert budget.sentence == (
        "grid is exhausted: it tried all of its 6 candidates (trials of depth: 20); single is exhausted: it tried "
        "its only candidate (trials of depth: 20)"
    )


def test_an_arm_that_could_have_tried_more_of_its_few_candidates_is_not_exhausted() -> None:
    grid = make_study("grid", trials=6)
    assert tell(DEPTH, grid, depth=spend(DEPTH, ok=20), grid=spend(grid, ok=5)) == (
        "Budgets: depth had 20 trials, grid 5: the comparison favours depth.",
    )


def test_early_stopping_takes_more_fits_than_an_arm_without() -> None:
    patient = make_study("patient", patience=2)
    assert tell(DEPTH, patient, depth=spend(DEPTH, ok=2), patient=spend(patient, ok=2)) == (
        "Budgets: a trial of patient takes 10 fits, depth 5: the comparison favours patient.",
    )


def test_an_arm_that_has_not_begun_is_missing_and_no_unequal_budget() -> None:
    assert tell(DEPTH, HEAD, depth=spend(DEPTH, ok=20), head_only=[]) == ()


def test_the_searches_of_an_arms_outer_folds_count_together() -> None:
    searches = [
        replace(study, id=f"{study.id}-{outer}", outer_fold=outer)
        for study in (DEPTH, HEAD)
        for outer in range(3)
    ]
    trials = {study.id: spend(study, ok=20 if study.arm == "depth" else 7) for study in searches}
    assert tell_budgets(weigh_budgets(searches, trials, asked=20), searches) == (
        "Budgets: depth had 60 trials, head-only 21: the comparison favours depth.",
    )


def test_blocks_that_differ_alike_share_a_sentence_that_names_them() -> None:
    studies = [make_study(arm, task=f"t{number}") for number in range(6) for arm in ("depth", "head-only")]
    trials = {
        study.id: spend(study, ok=7 if study.arm == "head-only" and study.task != "t0" else 20)
        for study in studies
    }
    assert tell_budgets(weigh_budgets(studies, trials, asked=20), studies) == (
        "Budgets on t1, t2, t3, t4 and 1 more: depth had 20 trials, head-only 7: the comparison favours depth.",
    )


@pytest.fixture(scope="module")
def unequal() -> Comparison:
    """Three tasks of the made-up run; on the first, head-only has but one trial of three."""
    spec = made_up.make_spec()
    plan = made_up.make_plan(spec)
    study = next(each for each in plan.studies if (each.task, each.arm) == ("reviews", "head-only"))
    trials = {
        key: record
        for key, record in made_up.fill_history(plan).items()
        if key not in ((study.id, 0), (study.id, 2))
    }
    return compare_arms(plan, made_up.make_history(trials.values()), spec, read=made_up.read)


TOLD = "depth and full had 3 trials, head-only 1: the comparison favours depth and full"


def test_every_format_flags_it(unequal: Comparison) -> None:
    note = f"Budgets on reviews: {TOLD}."
    assert note in unequal.notes
    assert note in " ".join(terminal.render(unequal, width=80).split())
    assert f"- {note}" in markdown.render(unequal).replace("\\", "")
    assert note in html.render(unequal)
    assert f"{TOLD}." in latex.render(unequal).replace("{}", "")
    header, *lines = csv.reader(io.StringIO(as_csv.render(unequal)))
    noted = {(line[0], line[2]) for line in lines if TOLD in line[header.index("note")]}
    assert noted == {("reviews", arm) for arm in ("depth", "full", "head-only")}
    (budget,) = json.loads(as_json.render(unequal))["budgets"]
    assert (budget["task"], budget["unequal"], budget["sentence"]) == ("reviews", True, TOLD)


def test_a_run_whose_arms_had_the_same_says_nothing() -> None:
    comparison = made_up.compare_made_up()
    assert comparison.budgets == ()
    assert not any("Budgets" in note for note in comparison.notes)


def test_a_fixed_arm_of_a_run_is_exhausted() -> None:
    comparison = made_up_tasks.compare_many(2)
    assert [budget.unequal for budget in comparison.budgets] == [False, False]
    assert (
        "Budgets: fixed is exhausted: it tried its only candidate (trials of head-only, depth and full: 2)."
        in comparison.notes
    )


def test_arms_stand_in_the_same_words_whatever_is_their_order() -> None:
    spent = {"depth": spend(DEPTH, ok=20), "head_only": spend(HEAD, ok=7)}
    assert tell(HEAD, DEPTH, **spent) == tell(DEPTH, HEAD, **spent)


def test_a_control_with_fewer_trials_is_told_too() -> None:
    control = replace(HEAD, id="reviews-scratch", arm="scratch", kind="control")
    assert tell(DEPTH, control, depth=spend(DEPTH, ok=20), scratch=spend(control, ok=3)) == (
        "Budgets: depth had 20 trials, scratch 3: the comparison favours depth.",
    )
