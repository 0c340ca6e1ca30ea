"""Two runs against each other: what has regressed, and what cannot be told."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from harness.errors import SpecError
from harness.judge.compare import Change, Changes, find_changes
from harness.judge.comparison import Comparison
from harness.judge.evidence import Read
from harness.judge.rank import compare_arms
from harness.judge.stats import holm, mcnemar_exact
from harness.record.history import History, TrialRecord
from harness.record.scores import FoldScore, Predictions

made = runpy.run_path(str(Path(__file__).with_name("made_up.py")))
read = made["read"]
Spoil = Callable[[dict[tuple[str, int], TrialRecord]], None]


@cache
def _judge_worse(arm: str, less: float) -> Comparison:
    return judge(lowered={arm: less})


def judge(
    *,
    tasks: tuple[str, ...] = ("reviews",),
    lowered: dict[str, float] | None = None,
    metric: str = "accuracy",
    read: Read = read,
    without: tuple[str, ...] = (),
) -> Comparison:
    """Return a made-up run in which the arms of `lowered` score so much less, and those of `without` nothing."""
    spec = made["make_spec"](tasks, metric=metric)
    plan = made["make_plan"](spec, metric=metric)
    arms = {study.id: study.arm for study in plan.studies}
    trials = {}
    for key, record in made["fill_history"](plan).items():
        less = (lowered or {}).get(arms[record.study], 0.0)
        folds = tuple(replace(fold, valid_score=(fold.valid_score or 0.0) - less) for fold in record.folds)
        trials[key] = replace(record, folds=folds)
        if arms[record.study] in without:
            trials[key] = replace(record, state="failed", reason="out of memory", folds=())
    return compare_arms(plan, History(trials=trials), spec, read=read)


def find(first: Comparison, second: Comparison, tolerance: float = 0.01) -> Changes:
    return find_changes(first, second, names=("old", "new"), tolerance=tolerance)


def pick(changes: Changes, arm: str) -> Change:
    (change,) = [change for change in changes.changes if change.arm == arm]
    return change


@pytest.fixture(scope="module")
def base() -> Comparison:
    return judge()


def test_a_run_against_itself_has_no_change(base: Comparison) -> None:
    changes = find(base, base)
    assert changes.regressions == ()
    assert {change.state for change in changes.changes} == {"held"}
    for change in changes.changes:
        assert (change.difference, change.low, change.high, change.p, change.mcnemar_p) == (0, 0, 0, 1, 1)
        assert change.examples == 600


def test_a_cell_that_is_worse_beyond_chance_has_regressed(base: Comparison) -> None:
    changes = find(base, _judge_worse("full", 0.1))
    change = pick(changes, "full")
    assert [each.arm for each in changes.regressions] == ["full"]
    assert change.state == "regressed"
    assert change.first == pytest.approx(0.711, abs=0.003)
    assert change.difference == pytest.approx(-0.1, abs=0.003)
    assert change.low is not None
    assert change.high is not None
    assert change.low < -0.1 < change.high < 0
    assert change.p is not None
    assert change.p < 0.05
    assert find(_judge_worse("full", 0.1), base).regressions == ()
    assert pick(find(_judge_worse("full", 0.1), base), "full").state == "improved"


def test_a_change_within_tolerance_or_chance_is_held(base: Comparison) -> None:
    def draw_anew(fold: FoldScore) -> Predictions:
        return read(replace(fold, trial=fold.trial + 7))

    assert pick(find(base, _judge_worse("full", 0.1), tolerance=0.15), "full").state == "held"
    change = pick(find(base, judge(lowered={"full": 0.02}, read=draw_anew)), "full")
    assert change.state == "held"
    assert change.difference is not None
    assert change.high is not None
    assert change.difference < -0.01
    assert change.high > 0


def test_probabilities_are_adjusted_for_the_cells(base: Comparison) -> None:
    worse = judge(lowered={"full": 0.02, "depth": 0.01})
    alone = []
    for old, new in zip(base.cells, worse.cells, strict=True):
        assert old.evidence is not None
        assert new.evidence is not None
        was, became = (
            each.predictions[0].argmax(axis=1) == each.targets for each in (old.evidence, new.evidence)
        )
        alone.append(mcnemar_exact(int((was & ~became).sum()), int((became & ~was).sum())))
    found = [change.mcnemar_p for change in find(base, worse).changes]
    assert found == pytest.approx(holm(alone))
    assert found != pytest.approx(alone)


def test_a_score_that_b_lacks_is_a_regression(base: Comparison) -> None:
    changes = find(base, judge(without=("full",)))
    assert [(each.arm, each.state) for each in changes.regressions] == [("full", "missing")]
    assert "out of memory" in pick(changes, "full").note
    assert pick(find(judge(without=("full",)), base), "full").state == "no score"


def test_cells_of_one_run_are_listed_and_not_failed(base: Comparison) -> None:
    more = judge(tasks=("reviews", "tickets"))
    for first, second, state in ((base, more, "only in B"), (more, base, "only in A")):
        changes = find(first, second)
        assert changes.regressions == ()
        assert {each.state for each in changes.changes if each.task == "tickets"} == {state}
        assert {each.state for each in changes.changes if each.task == "reviews"} == {"held"}


def test_runs_that_share_nothing_or_measure_otherwise_are_refused(base: Comparison) -> None:
    with pytest.raises(SpecError, match="share no cell"):
        find(base, judge(tasks=("tickets",)))
    with pytest.raises(SpecError, match="'reviews' is measured by accuracy in the first run and by macro-f1"):
        find(base, judge(metric="macro-f1"))


def _change(edit: Callable[[Predictions], Predictions]) -> Read:
    def changed(fold: FoldScore) -> Predictions:
        return edit(read(fold))

    return changed


def test_only_examples_of_both_runs_count(base: Comparison) -> None:
    def drop(told: Predictions) -> Predictions:
        assert told.probabilities is not None
        return replace(
            told,
            ids=tuple(f"{name}{'-new' if row < 80 else ''}" for row, name in enumerate(told.ids)),
            probabilities=np.where(np.arange(200)[:, None] < 80, 0.5, told.probabilities),
        )

    change = pick(find(base, judge(read=_change(drop))), "majority")  # the others may choose another trial
    assert (change.examples, change.difference, change.state) == (360, 0, "held")


def test_runs_on_other_examples_or_labels_are_not_comparable(base: Comparison) -> None:
    def rename(told: Predictions) -> Predictions:
        return replace(
            told, ids=tuple(f"{name}{'-new' if row < 110 else ''}" for row, name in enumerate(told.ids))
        )

    def relabel(told: Predictions) -> Predictions:
        return replace(told, targets=tuple({"no": "yes", "yes": "no"}[str(each)] for each in told.targets))

    def respell(told: Predictions) -> Predictions:
        return replace(
            told,
            labels=("no", "yea"),
            targets=tuple(str(each).replace("yes", "yea") for each in told.targets),
        )

    for edit, reason in (
        (rename, "270 of 600 examples have the same id and target"),
        (relabel, "0 of 600 examples have the same id and target"),
        (respell, "the labels differ: 'yes' is only in A, 'yea' is only in B"),
    ):
        changes = find(base, judge(read=_change(edit)))
        assert {change.state for change in changes.changes} == {"not comparable"}
        assert reason in pick(changes, "full").note
        assert changes.regressions == ()
    lost = find(base, judge(read=lambda fold: None))
    assert pick(lost, "full").note == "the predictions of B cannot be read"


def test_a_metric_that_falls_regresses_when_it_rises() -> None:
    def compare(level: float) -> Comparison:
        spec = made["make_spec"](("reviews",), metric="log-loss")
        plan = made["make_plan"](spec, metric="log-loss", higher_is_better=False)
        return compare_arms(
            plan, History(trials=made["fill_history"](plan)), spec, read=_change(blunt(level))
        )

    def blunt(level: float) -> Callable[[Predictions], Predictions]:
        def edit(told: Predictions) -> Predictions:
            assert told.probabilities is not None
            return replace(told, probabilities=told.probabilities * (1 - 2 * level) + level)

        return edit

    better, worse = compare(0.3), compare(0.1)  # the surer the dearer, of predictions that are often wrong
    change = pick(find(better, worse), "majority")
    assert change.state == "regressed"
    assert change.difference is not None
    assert change.difference > 0
    assert pick(find(worse, better), "majority").state == "improved"


def test_groups_are_drawn_whole_and_leave_mcnemar_out(base: Comparison) -> None:
    def gather(told: Predictions) -> Predictions:
        return replace(told, groups=tuple(f"author-{row // 20}" for row in range(200)))

    worse = {"full": 0.1}
    alone = pick(find(base, judge(lowered=worse)), "full")
    grouped = pick(find(judge(read=_change(gather)), judge(read=_change(gather), lowered=worse)), "full")
    assert grouped.difference == alone.difference
    assert (grouped.low, grouped.high) != (alone.low, alone.high)
    assert grouped.mcnemar_p is None
