"""How a run stands, in words that fit."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.record.files import Owner
from harness.record.troubles import Trouble
from harness.report.status import describe, render, summarize
from harness.status import Counts, Status, TaskStatus

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
HERE = Owner(pid=4711, host=socket.gethostname(), since="2026-03-01T19:00:00+00:00")
FINISHED = Status(
    suite="night",
    folder=Path("results/night"),
    at=NOW,
    phase="complete",
    owner=None,
    last_owner=HERE,
    since=datetime(2026, 3, 1, 19, 0, tzinfo=UTC),
    ended=datetime(2026, 3, 2, 5, 12, tzinfo=UTC),
    counts=Counts(planned=3840, complete=3611, pruned=204, failed=25),
    tasks=(
        TaskStatus(name="xray", metric="macro-f1", ended=1920, planned=1920, best=0.9123),
        TaskStatus(name="a-task-with-a-long-name", metric="rmse", ended=1920, planned=1920, best=12.34),
    ),
    fits=19_000,
    troubles=(
        Trouble(
            cause="out of memory: \x1b[2J300 MB",
            outcome="trial failed",
            times=24,
            place="xray vit full t-0417 fold 2",
            first=datetime(2026, 3, 2, 3, 17, tzinfo=UTC),
            last=datetime(2026, 3, 2, 4, 50, tzinfo=UTC),
        ),
        Trouble(cause="loss not finite at step 214 (lr 3.1e-03)", outcome="trial failed", times=1,
                place="mails minilm full t-0311 fold 0", first=datetime(2026, 3, 2, 4, 2, tzinfo=UTC),
                last=datetime(2026, 3, 2, 4, 2, tzinfo=UTC)),
    ),
    report=Path("results/night/report.html"),
    log=Path("results/night/run.log"),
)  # fmt: skip
RUNNING = replace(
    FINISHED,
    phase="running",
    owner=HERE,
    ended=None,
    counts=Counts(planned=3840, complete=512, pruned=33, failed=4, running=2),
    pending=9_000,
    remaining_s=18_600.0,
    deadline=NOW + timedelta(hours=3),
)
FORMS = {
    "finished": FINISHED,
    "running": RUNNING,
    "preparing": replace(RUNNING, phase="preparing", counts=Counts(), tasks=()),
    "nothing to estimate from": replace(RUNNING, remaining_s=None, deadline=None),
    "elsewhere": replace(RUNNING, owner=replace(HERE, host="elsewhere")),
    "killed": replace(RUNNING, phase="killed", owner=None, ended=NOW),
    "killed elsewhere": replace(
        RUNNING, phase="killed", owner=None, last_owner=replace(HERE, host="elsewhere"), ended=None
    ),
    "failed": replace(FINISHED, phase="failed", last_words="StorageError: disk full \x1b[2J" * 9),
    "stopped": replace(FINISHED, phase="stopped", last_words="1 complete"),
    "budget": replace(FINISHED, phase="deadline", pending=7),
    "damaged": replace(FINISHED, damage=("12 lines are missing before the last good one. " * 4,)),
}


def test_a_finished_night_is_told_in_the_morning() -> None:
    assert render(FINISHED) == (
        " night · finished 05:12. 3,611 complete, 204 pruned, 25 failed, 0 lost\n"
        " xray                  ####################  1,920/1,920  best 0.912   macro-f1\n"
        " a-task-wi…-long-name  ####################  1,920/1,920  best 12.340  rmse\n"
        " 19,000 fits done\n"
        " 03:17 xray vit full t-0417 fold 2  out of memory: \\x1b[2J300 MB: trial failed\n"
        "   (24 times, last 04:50)\n"
        " 04:02 mails minilm full t-0311 fold 0  loss not finite at step 214 (lr\n"
        "   3.1e-03): trial failed\n"
        " results/night/report.html · log: results/night/run.log\n"
    )


def test_a_run_that_goes_on_tells_when_it_ends_and_how_to_stop_it() -> None:
    assert render(replace(RUNNING, troubles=(), tasks=RUNNING.tasks[:1]), width=100) == (
        f" night · running since 19:00 (process 4711 on host {HERE.host})\n"
        " 512 complete, 33 pruned, 4 failed, 0 lost, 2 under way; 549 of 3,840 trials\n"
        " xray  ####################  1,920/1,920  best 0.912  macro-f1\n"
        " 19,000 of at most 28,000 fits done; about 5 h 10 min left, until 13:10\n"
        "   the budget ends 11:00, in 3 h\n"
        " results/night/report.html · to stop it: kill 4711\n"
    )


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_fits_and_moves_no_cursor(form: str, width: int) -> None:
    text = render(FORMS[form], width=width)
    assert all(len(line) <= width for line in text.splitlines())
    assert "\x1b" not in text + summarize(FORMS[form])
    assert "\n" not in summarize(FORMS[form])
    assert json.loads(json.dumps(describe(FORMS[form])))["phase"] == FORMS[form].phase


@pytest.mark.parametrize("form", ["killed", "failed", "stopped", "budget"])
def test_a_run_that_is_not_complete_says_that_the_same_command_goes_on(form: str) -> None:
    assert "the same command goes on" in render(FORMS[form])


def test_a_run_of_another_host_says_which() -> None:
    assert "kill 4711 on host elsewhere" in render(FORMS["elsewhere"])
    assert "look there" in render(FORMS["killed elsewhere"], width=300)


def test_many_causes_are_cut_and_the_rest_is_counted() -> None:
    many = replace(FINISHED, troubles=FINISHED.troubles * 6)
    assert "and 4 more causes" in render(many)
