"""How long running folds may take."""

from __future__ import annotations

from dataclasses import replace

from harness.cli.underway import Underway
from harness.record.scores import FoldJob
from harness.search.events import FoldFinished, FoldStarted
from tests.search.made import make_score, make_study


def make_job(fold: int, arm: str = "depth") -> FoldJob:
    """A fold of a study."""
    return FoldJob.of(make_study(arm), 0, None, repeat=0, fold=fold)


def test_the_longest_fold_of_a_study_tells_how_long_another_may_take() -> None:
    now_s = [0.0]
    underway = Underway(clock=lambda: now_s[0])
    assert underway.tell() == ""
    underway.note(FoldStarted(job=make_job(0)))
    assert "to tell how long" in underway.tell()
    underway.note(FoldFinished(score=replace(make_score(make_job(0)), fit_s=40.0)))
    assert underway.tell() == ""

    underway.note(FoldStarted(job=make_job(1)))
    now_s[0] = 10.0
    underway.note(FoldStarted(job=make_job(2)))
    assert underway.tell() == " (2 folds, about 40 s)"
    now_s[0] = 20.0
    assert underway.tell() == " (2 folds, about 30 s)"
    now_s[0] = 60.0
    assert "longer than any before" in underway.tell()
    underway.note(FoldStarted(job=make_job(0, "full")))
    assert "to tell how long" in underway.tell()
