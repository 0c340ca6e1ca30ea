"""What a run writes into its log."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.logbook import REMIND_S, Logbook
from harness.record.history import History
from harness.record.log import read_log
from harness.record.scores import FoldJob
from harness.search.events import Expected, FoldFinished, StudyStopped, TrialEnded, WorkerLost
from tests.search.made import make_plan, make_score, make_study


def open_logbook(folder: Path, clock_s: list[float]) -> Logbook:
    """A logbook of one study, at the time that the list holds."""
    plan = make_plan(make_study(trials=3))
    return Logbook(folder, plan, History(trials={}, damage=("one line was lost",)), clock=lambda: clock_s[0])


def told(folder: Path) -> list[str]:
    """The log without its times."""
    return [f"{entry.kind} {entry.text}" for entry in read_log(folder)]


def test_a_log_tells_what_went_wrong_and_how_it_ended(tmp_path: Path) -> None:
    logbook = open_logbook(tmp_path, [0.0])
    study = make_study(trials=3)
    score = make_score(FoldJob.of(study, 1, None, repeat=0, fold=1))
    logbook.note(FoldFinished(score=score))
    logbook.note(FoldFinished(score=replace(score, micro_batch=4)))
    logbook.note(FoldFinished(score=replace(score, state="oom", error="300 MB")))
    logbook.note(TrialEnded(study=study.id, trial=0, state="complete", reason="", mean=0.5))
    logbook.note(TrialEnded(study=study.id, trial=1, state="failed", reason="300 MB", mean=None))
    logbook.note(StudyStopped(study=study.id, cause="all alike"))
    logbook.note(WorkerLost(cause="process 7 died"))
    logbook.close("deadline", "the time is over")
    start, *rest = told(tmp_path)
    assert start.startswith("start process ")
    assert start.endswith(
        "made-up · 1 task · 1 arm · 0 baselines · 6 fits at most; 0 trials known from before"
    )
    assert rest == [
        "damage one line was lost",
        "fold reviews minilm depth t-0001 fold 1: out of memory: repeated with 4 examples at a time: ok",
        "fold reviews minilm depth t-0001 fold 1: oom: 300 MB",
        "trial reviews minilm depth t-0001: failed: 300 MB",
        "study reviews minilm depth: all alike",
        "worker process 7 died",
        "deadline 1 complete, 0 pruned, 1 failed; the time is over",
    ]


def test_how_far_a_run_is_is_written_now_and_then(tmp_path: Path) -> None:
    clock_s = [0.0]
    logbook = open_logbook(tmp_path, clock_s)
    for clock_s[0] in (10.0, REMIND_S, REMIND_S + 10, 2 * REMIND_S):
        logbook.note(Expected(remaining_s=40.0, workers=2))
    assert told(tmp_path)[2:] == ["progress 0 complete, 0 pruned, 0 failed; 40 s left"] * 2
