"""The best trial of a study and every baseline, fitted again on less data when the search has ended."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from harness.plan import Study
from harness.record.counts import count_fits, count_pending
from harness.record.history import History
from harness.record.ledger import LEDGER, Ledger, read_history
from harness.record.means import mean_score
from harness.record.scores import FoldJob, FoldScore
from harness.search.allotment import Allotment
from harness.search.drive import Outcome, drive
from harness.search.events import Event, FoldFinished, FoldStarted
from harness.search.pool import LocalPool
from harness.search.proposals import Proposals
from harness.search.schedule import Schedule
from harness.spec.models import Search
from harness.spec.options import Confirm
from tests.search.made import make_plan, make_score, make_study, read_tables, run_plan

SEARCH = Search(trials=4, startup=1, pruner="none")
PLAIN = make_plan(make_study("majority"), make_study("depth"))
PLAN = make_plan(*(replace(study, fractions=(0.1, 0.3)) for study in PLAIN.studies))


def choose(ledger: Ledger, study: Study) -> int | None:
    """Return the complete trial with the highest mean of a study."""
    means = {
        record.trial: mean_score(record.folds)
        for (name, _), record in ledger.history().trials.items()
        if name == study.id and record.state == "complete"
    }
    return max(means, key=lambda trial: means[trial] or 0.0) if means else None


def run(
    folder: Path, *studies: Study, events: list[Event] | None = None, most: int = 1000
) -> tuple[Outcome, History]:
    """Run studies with their curves in this process, at most so many fits."""
    started = iter(range(most))
    with Ledger.open(folder) as ledger:
        before = ledger.history()
        outcome = drive(
            studies,
            ledger=ledger,
            open_proposals=lambda study: Proposals.open(folder, study, SEARCH, before),
            pool=LocalPool(lambda: make_score),
            search=SEARCH,
            schedule=Schedule(studies, ledger.history, Allotment(), clock=lambda: 0.0),
            find_best=lambda study: choose(ledger, study),
            stop=lambda: next(started, None) is None,
            on_event=(events if events is not None else []).append,
        )
        return outcome, ledger.history()


def curves(history: History) -> dict[tuple[str, int], list[tuple[int, float]]]:
    """Return (fold, fraction) of what each trial was fitted on besides everything."""
    return {
        key: [(fold.fold, fold.fraction) for fold in record.reduced]
        for key, record in history.trials.items()
        if record.reduced
    }


def test_the_best_trial_and_a_baseline_are_fitted_on_each_fraction_of_every_fold(tmp_path: Path) -> None:
    events: list[Event] = []
    outcome, history = run(tmp_path, *PLAN.studies, events=events)
    assert outcome.ended == "complete"
    with Ledger.open(tmp_path) as ledger:
        best = choose(ledger, PLAN.studies[1])
    # The largest fraction first: a budget that ends leaves what tells whether the last rows helped.
    points = [(0, 0.3), (1, 0.3), (0, 0.1), (1, 0.1)]
    assert curves(history) == {(PLAN.studies[0].id, 0): points, (PLAN.studies[1].id, best): points}
    jobs = [event.job for event in events if isinstance(event, FoldStarted) and event.job.kind == "arm"]
    assert [job.fraction for job in jobs] == [1.0] * 8 + [0.3] * 2 + [0.1] * 2
    assert {job.candidate for job in jobs[8:]} == {history.trials[PLAN.studies[1].id, best or 0].candidate}
    assert sum(isinstance(event, FoldFinished) for event in events) == sum(
        study.fits for study in PLAN.studies
    )


def test_a_finished_suite_gets_curves_without_searching_again(tmp_path: Path) -> None:
    _, before = run(tmp_path, *PLAIN.studies)
    events: list[Event] = []
    _, after = run(tmp_path, *PLAN.studies, events=events)
    jobs = [event.job for event in events if isinstance(event, FoldStarted)]
    assert len(jobs) == 8
    assert {job.fraction for job in jobs} == {0.1, 0.3}
    assert repr({key: replace(record, reduced=()) for key, record in after.trials.items()}) == repr(
        before.trials
    )


def test_a_new_fraction_adds_its_fits_alone(tmp_path: Path) -> None:
    run(tmp_path, *PLAN.studies)
    events: list[Event] = []
    run(tmp_path, *(replace(study, fractions=(0.1, 0.3, 0.7)) for study in PLAN.studies), events=events)
    assert [event.job.fraction for event in events if isinstance(event, FoldStarted)] == [0.7] * 4


@pytest.mark.parametrize("most", [3, 9, 11, 14, 17])
def test_a_curve_that_was_stopped_goes_on(tmp_path: Path, most: int) -> None:
    run(tmp_path / "whole", *PLAN.studies)
    outcome, cut = run(tmp_path / "cut", *PLAN.studies, most=most)
    assert outcome.ended == "stopped"
    fits = sum(len(record.folds) + len(record.reduced) for record in cut.trials.values())
    assert fits == most
    assert sum(count_fits(study, cut) for study in PLAN.studies) == most
    assert sum(count_pending(study, cut) for study in PLAN.studies) >= 18 - most
    events: list[Event] = []
    _, after = run(tmp_path / "cut", *PLAN.studies, events=events)
    assert sum(isinstance(event, FoldStarted) for event in events) == 18 - most
    assert set(after.trials) == set(read_history(tmp_path / "whole").trials)
    assert curves(after) == curves(read_history(tmp_path / "whole"))
    assert sum(count_pending(study, after) for study in PLAN.studies) == 0


def test_a_ledger_cut_inside_a_curve_leads_to_the_same_curves(tmp_path: Path) -> None:
    _, whole = run(tmp_path / "run", *PLAN.studies)
    ledger = tmp_path / "run" / LEDGER
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[:-3]))
    _, again = run(tmp_path / "run", *PLAN.studies)
    assert repr(again.trials) == repr(whole.trials)  # an undefined metric is NaN, equal to nothing


def test_the_confirmation_comes_before_the_curve(tmp_path: Path) -> None:
    events: list[Event] = []
    study = replace(PLAN.studies[1], confirm=Confirm(top=2, repeats=1))
    run(tmp_path, study, events=events)
    jobs = [event.job for event in events if isinstance(event, FoldStarted)]
    assert [(job.repeat, job.fraction) for job in jobs[8:]] == [(1, 1.0)] * 4 + [(0, 0.3)] * 2 + [
        (0, 0.1)
    ] * 2
    assert study.fits == len(jobs)


def test_a_fit_that_fails_on_less_data_leaves_its_trial_complete(tmp_path: Path) -> None:
    def score(job: FoldJob) -> FoldScore:
        made = make_score(job)
        return replace(made, state="error", valid_score=None, predictions=None) if job.fraction < 1 else made

    with Ledger.open(tmp_path) as ledger:
        outcome = drive(
            PLAN.studies[:1],
            ledger=ledger,
            open_proposals=lambda study: Proposals.open(tmp_path, study, SEARCH, ledger.history()),
            pool=LocalPool(lambda: score),
            search=SEARCH,
            schedule=Schedule(PLAN.studies[:1], ledger.history, Allotment(), clock=lambda: 0.0),
            find_best=lambda study: choose(ledger, study),
        )
        (record,) = ledger.history().trials.values()
    assert (outcome.ended, record.state) == ("complete", "complete")
    assert Counter(fold.state for fold in record.reduced) == {"error": 4}


def test_a_study_without_a_complete_trial_has_no_curve(tmp_path: Path) -> None:
    """Nothing names a best trial here, as nothing does where every trial has failed."""
    outcome, history = run_plan(tmp_path, PLAN, SEARCH)
    assert outcome.ended == "complete"
    assert curves(history) == {}


def test_the_tables_of_a_search_are_the_same_and_have_rows_for_each_fraction(tmp_path: Path) -> None:
    run_plan(tmp_path, PLAIN, SEARCH)
    plain_folds, plain_trials = read_tables(tmp_path)
    run(tmp_path, *PLAN.studies)
    run_plan(tmp_path, PLAN, SEARCH)  # writes the tables
    folds, trials = read_tables(tmp_path)
    assert trials == plain_trials
    assert [row for row in folds if row["fraction"] == 1.0] == plain_folds
    assert Counter(row["fraction"] for row in folds) == {1.0: 10, 0.3: 4, 0.1: 4}
    names = {file.name for file in (tmp_path / "predictions").iterdir()}
    assert f"{PLAN.studies[0].id}-t0-r0-f1-p0.3.parquet" in names
    assert len(names) == 18
