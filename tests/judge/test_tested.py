"""Which trial the locked test was opened for, and what a cell says of it."""

from __future__ import annotations

from dataclasses import replace

from harness.judge.comparison import Cell
from harness.judge.rank import compare_arms
from harness.judge.tested import find_tested
from harness.record.history import TrialRecord
from tests.judge import made_up

SPEC = made_up.make_spec(["reviews"])
PLAN = made_up.make_plan(SPEC)
STUDY = next(study for study in PLAN.studies if study.arm == "full")


def make_tested(trial: int, mean: float, test: float | None) -> TrialRecord:
    """Return a complete trial whose test scored `test`, or failed."""
    record = made_up.score_trial(STUDY, trial, [mean] * 3)
    state, error = ("failed", "out of memory") if test is None else ("ok", None)
    return replace(record, test=replace(record.folds[0], fold=3, state=state, error=error, valid_score=test))


WINNER, FORMER, LATER = make_tested(0, 0.8, 0.7), make_tested(1, 0.6, 0.5), make_tested(2, 0.5, 0.4)
FAILED = make_tested(0, 0.8, None)
UNTESTED = made_up.score_trial(STUDY, 0, [0.8] * 3)


def judge(*records: TrialRecord) -> Cell:
    compared = compare_arms(PLAN, made_up.make_history(records), SPEC)
    return next(cell for cell in compared.cells if cell.arm == "full")


def test_the_winner_was_tested_else_the_latest_trial_whose_test_was_opened() -> None:
    assert find_tested([WINNER, FORMER, LATER], 0) == WINNER
    assert find_tested([UNTESTED, FORMER, LATER], 0) == LATER
    assert find_tested([LATER, FORMER], None) == LATER
    assert find_tested([FAILED, FORMER], 0) == FORMER
    assert find_tested([FAILED], 0) is None
    assert find_tested([], 0) is None


def test_a_cell_has_the_test_score_of_its_own_trial_and_says_how_often_the_test_was_opened() -> None:
    cell = judge(WINNER, FORMER)
    assert (cell.trial, cell.test_score) == (0, 0.7)
    assert cell.note.endswith("; the test was opened 2 times")


def test_a_cell_whose_trial_is_not_tested_says_whose_test_score_it_has() -> None:
    cell = judge(UNTESTED, FORMER)
    assert (cell.trial, cell.test_score) == (0, 0.5)
    assert cell.note.endswith("; the test score is that of trial 1, which was best when it was taken")


def test_a_test_that_failed_is_noted_and_an_opened_one_stands_in_for_it() -> None:
    alone, beside = judge(FAILED), judge(FAILED, FORMER)
    assert alone.test_score is None
    assert alone.note.endswith("; the test failed: out of memory")
    assert beside.test_score == 0.5
    assert beside.note.endswith(
        "; the test failed: out of memory; the test score is that of trial 1, which was best when it was taken"
    )
