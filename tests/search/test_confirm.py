"""The best trials of a study, fitted again before one of them is chosen."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from harness.record.history import History, TrialRecord
from harness.record.ledger import LEDGER
from harness.record.scores import FoldJob, FoldScore
from harness.search.confirm import choose_best
from harness.search.events import Event, FoldStarted
from harness.spec.models import Search
from harness.spec.options import Confirm
from tests.search.made import make_plan, make_score, make_study, read_tables, run_plan

CONFIRM = Confirm(top=2, repeats=2)
SEARCH = Search(trials=4, startup=1, pruner="none")
PLAIN = make_study("depth", trials=4, folds=2)
PLAN = make_plan(make_study("majority"), replace(PLAIN, confirm=CONFIRM))


def further(history: History) -> Counter[int]:
    """Return how many folds confirmed each trial of the study."""
    return Counter(
        fold.trial
        for (study, _), record in history.trials.items()
        for fold in record.folds
        if study == PLAIN.id and fold.repeat >= PLAIN.repeats
    )


def test_the_best_trials_are_fitted_again_when_the_search_has_ended(tmp_path: Path) -> None:
    events: list[Event] = []
    outcome, history = run_plan(tmp_path, PLAN, SEARCH, on_event=events.append)
    assert outcome.ended == "complete"
    means = {
        trial: sum(fold.valid_score or 0 for fold in record.search_folds(1)) / 2
        for (study, trial), record in history.trials.items()
        if study == PLAIN.id
    }
    best = sorted(means, key=lambda trial: -means[trial])[:2]
    assert further(history) == dict.fromkeys(best, 4)
    jobs = [event.job for event in events if isinstance(event, FoldStarted) and event.job.kind == "arm"]
    assert [job.repeat for job in jobs] == [0] * 8 + [1] * 4 + [
        2
    ] * 4  # all are as far, whenever a budget ends
    baseline = [
        event.job for event in events if isinstance(event, FoldStarted) and event.job.kind == "baseline"
    ]
    assert {job.repeat for job in baseline} == {0}


@pytest.mark.parametrize("lines", [3, 14, 17, 20, 23])
def test_a_confirmation_that_was_cut_short_goes_on(tmp_path: Path, lines: int) -> None:
    run_plan(tmp_path / "whole", PLAN, SEARCH)
    run_plan(tmp_path / "cut", PLAN, SEARCH)
    ledger = tmp_path / "cut" / LEDGER
    ledger.write_bytes(b"".join(ledger.read_bytes().splitlines(keepends=True)[:lines]))
    run_plan(tmp_path / "cut", PLAN, SEARCH)
    assert read_tables(tmp_path / "cut") == read_tables(tmp_path / "whole")


def test_a_finished_suite_can_be_confirmed_without_searching_again(tmp_path: Path) -> None:
    run_plan(tmp_path, make_plan(PLAIN), SEARCH)
    asked: list[FoldJob] = []

    def score(job: FoldJob) -> FoldScore:
        asked.append(job)
        return make_score(job)

    _, history = run_plan(tmp_path, PLAN, SEARCH, score=score)
    assert {job.repeat for job in asked if job.kind == "arm"} == {1, 2}
    assert sum(further(history).values()) == 8
    # What the tables count is what was searched on.
    rows = [row for row in read_tables(tmp_path)[1] if row["study"] == PLAIN.id]
    assert {row["folds"] for row in rows} == {2}


def test_a_fold_that_fails_leaves_its_trial_unconfirmed_and_ends(tmp_path: Path) -> None:
    def score(job: FoldJob) -> FoldScore:
        made = make_score(job)
        return replace(made, state="oom", valid_score=None, predictions=None) if job.repeat == 2 else made

    outcome, history = run_plan(tmp_path, PLAN, SEARCH, score=score)
    assert outcome.ended == "complete"
    assert sum(further(history).values()) == 8
    assert {record.state for record in history.trials.values()} == {"complete"}


def make_trial(trial: int, *scores: float, parameters: int | None = 100) -> TrialRecord:
    """Return a complete trial with these scores on its folds."""
    folds = tuple(
        replace(
            make_score(FoldJob.of(PLAIN, trial, None, repeat=0, fold=fold)),
            valid_score=score,
            trainable_parameters=parameters,
        )
        for fold, score in enumerate(scores)
    )
    return TrialRecord(study=PLAIN.id, trial=trial, candidate=None, state="complete", folds=folds)


def choose(*trials: TrialRecord, higher_is_better: bool = True) -> list[int]:
    """Return the numbers of the trials in the order in which they take places."""
    study = replace(PLAIN, confirm=Confirm(top=4, repeats=1), higher_is_better=higher_is_better)
    return [record.trial for record in choose_best(study, trials)]


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_a_trial_with_an_undefined_fold_takes_no_place_before_one_without(higher_is_better: bool) -> None:
    best = 0.9 if higher_is_better else 0.1
    trials = [make_trial(0, best, math.nan), make_trial(1, 0.5, 0.5), make_trial(2, math.nan, math.nan)]
    assert choose(*trials, higher_is_better=higher_is_better) == [1, 0]


def test_equal_means_are_ordered_by_parameters_and_then_by_number() -> None:
    noisy = 0.1 + 0.2  # 0.30000000000000004
    trials = [
        make_trial(0, 0.3, 0.3, parameters=None),
        make_trial(1, noisy, noisy, parameters=200),
        make_trial(3, 0.3, 0.3),
        make_trial(2, 0.3, 0.3),
    ]
    assert choose(*trials) == [2, 3, 1, 0]


def test_whom_the_ranking_prefers_is_confirmed(tmp_path: Path) -> None:
    """Of four trials the three with an undefined fold score far more on the other one, and there are two places."""

    def score(job: FoldJob) -> FoldScore:
        if job.kind == "baseline" or job.repeat:
            return make_score(job)
        undefined = math.nan if job.fold else 0.9 - 0.1 * job.trial
        return replace(make_score(job), valid_score=0.4 if job.trial == 2 else undefined)

    _, history = run_plan(tmp_path, PLAN, SEARCH, score=score)
    assert further(history) == {2: 4, 0: 4}
