"""How a run stands, read from its folder alone."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.errors import StorageError
from harness.record.files import CLAIM, claim_run
from harness.record.ledger import LEDGER
from harness.record.log import LOG, write_log
from harness.record.scores import FoldJob, FoldScore
from harness.status import Status, read_status
from tests.begun import make_run, stop_after
from tests.search.made import make_score

NOW = datetime(2026, 1, 1, 1, 0, tzinfo=UTC)


def look(folder: Path) -> Status:
    """How a run stands an hour after its made-up folds."""
    return read_status(folder, now=NOW)


def short_of_memory(job: FoldJob) -> FoldScore:
    """Trials 1 and 2 of an arm run out of memory in fold 1, at different sizes."""
    score = make_score(job)
    if job.kind != "arm" or job.trial not in (1, 2) or job.fold != 1:
        return score
    error = f"out of memory: {job.trial * 100} MB"
    return replace(score, state="oom", error=error, valid_score=None, predictions=None)


def test_a_finished_run_is_counted(tmp_path: Path) -> None:
    status = look(make_run(tmp_path, tasks=("reviews", "mails"), trials=4, score=short_of_memory))
    counts = status.counts
    assert (counts.planned, counts.complete, counts.failed, counts.running) == (10, 6, 4, 0)
    assert [(task.name, task.ended, task.planned) for task in status.tasks] == [
        ("reviews", 5, 5),
        ("mails", 5, 5),
    ]
    assert all(task.best is not None and 0.5 < task.best < 1 for task in status.tasks)
    assert (status.phase, status.owner, status.pending) == ("complete", None, 0)


def test_what_failed_alike_is_one_trouble_with_its_first_place(tmp_path: Path) -> None:
    status = look(make_run(tmp_path, tasks=("reviews", "mails"), trials=4, score=short_of_memory))
    (trouble,) = status.troubles
    assert (trouble.times, trouble.outcome) == (4, "trial failed")
    assert trouble.place == "reviews minilm depth t-0001 fold 1"
    assert trouble.cause == "out of memory: 100 MB"
    assert trouble.first == datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)


def test_a_fold_that_was_repeated_with_less_memory_is_told(tmp_path: Path) -> None:
    def frugal(job: FoldJob) -> FoldScore:
        score = make_score(job)
        return replace(score, micro_batch=8) if job.kind == "arm" and job.trial == 1 else score

    status = look(make_run(tmp_path, score=frugal))
    (trouble,) = status.troubles
    assert (trouble.cause, trouble.times) == ("out of memory", 2)
    assert trouble.outcome == "repeated with 8 examples at a time: ok"
    assert status.counts.failed == 0


def test_a_folder_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "results")
    (tmp_path / "secret").write_text("2026-01-01T00:00:00Z error words of somebody else\n")
    (folder / LOG).symlink_to(tmp_path / "secret")
    with pytest.raises(StorageError, match="leads out"):
        look(folder)


def test_a_run_is_running_while_its_claim_is_held_and_no_longer(tmp_path: Path) -> None:
    folder = make_run(tmp_path, trials=4, stop=stop_after(5))
    assert look(folder).phase == "killed"
    with claim_run(folder):
        status = look(folder)
    assert (status.phase, status.pending > 0) == ("running", True)
    assert status.owner is not None
    assert status.owner.pid is not None
    assert status.since is not None
    assert status.remaining_s is not None
    after = look(folder)
    assert (after.phase, after.owner) == ("killed", None)
    assert after.last_owner == status.owner
    assert after.ended == datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)


def test_a_run_that_is_claimed_and_not_yet_planned_is_being_prepared(tmp_path: Path) -> None:
    with claim_run(tmp_path / "night"):
        assert look(tmp_path / "night").phase == "preparing"


@pytest.mark.parametrize(
    ("kind", "phase", "words"),
    [
        ("complete", "complete", ""),
        ("deadline", "deadline", "too late; really"),
        ("stopped", "stopped", ""),
        ("forced", "stopped", "SIGTERM; x"),
        ("error", "failed", "StorageError: full; x"),
    ],
)
def test_how_a_run_ended_is_what_its_log_says_last(tmp_path: Path, kind: str, phase: str, words: str) -> None:
    folder = make_run(tmp_path, trials=4, stop=stop_after(5))
    write_log(folder, "start", "go")
    assert look(folder).phase == "killed"
    counts = "" if phase == "failed" or kind == "forced" else "3 complete, 0 pruned"
    write_log(folder, kind, "; ".join(part for part in (counts, words) if part))
    status = look(folder)
    assert (status.phase, status.last_words) == (phase, words)
    write_log(folder, "start", "go on")
    assert look(folder).phase == "killed"


def test_a_run_that_was_killed_after_its_last_fold_is_not_finished(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    assert look(folder).phase == "complete"  # of a version that kept no log
    write_log(folder, "start", "go")
    status = look(folder)  # its last tables are not written: a report of half-time may lie there
    assert (status.phase, status.pending) == ("killed", 0)


def test_the_estimate_counts_what_is_left_at_the_pace_so_far(tmp_path: Path) -> None:
    folder = make_run(tmp_path, trials=4, stop=stop_after(5))
    _sign(folder, since="2025-12-31T23:59:59.5+00:00")  # the folds took half a second each, side by side
    with (folder / CLAIM).open() as claim:
        fcntl.flock(claim, fcntl.LOCK_EX)
        status = look(folder)
    assert (status.fits, status.pending) == (5, 5)
    # Fits of 2.5 s ended within one second; a trial under way is counted whole.
    assert status.remaining_s == pytest.approx(6 * 0.5 / 2.5)


@pytest.mark.parametrize(
    ("budget", "minutes"),
    [({"hours": 3}, 180), ({"finish_by": "02:00"}, 120), ({"hours": 1, "finish_by": "02:00"}, 60)],
)
def test_the_end_of_the_budget_counts_from_the_start(
    tmp_path: Path, budget: dict[str, object], minutes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    folder = make_run(tmp_path, trials=4, stop=stop_after(5), budget=budget)
    _sign(folder, since="2026-01-01T00:00:00+00:00")
    with (folder / CLAIM).open() as claim:
        fcntl.flock(claim, fcntl.LOCK_EX)
        status = look(folder)
    monkeypatch.undo()
    time.tzset()
    assert status.deadline is not None
    assert (status.deadline - datetime(2026, 1, 1, tzinfo=UTC)).total_seconds() == minutes * 60


def test_what_a_ledger_has_lost_is_counted(tmp_path: Path) -> None:
    folder = make_run(tmp_path, trials=4)
    lines = (folder / LEDGER).read_bytes().splitlines(keepends=True)
    folds = [number for number, line in enumerate(lines) if b'"fold"' in line]
    (folder / LEDGER).write_bytes(
        b"".join(line for number, line in enumerate(lines) if number not in folds[2:5])
    )
    assert look(folder).counts.lost == 3
    (folder / LEDGER).write_bytes(b"".join(lines[: folds[4]]))
    assert look(folder).counts.lost == len(folds) - 4 - 1  # the last one may have been on its way
    (folder / LEDGER).unlink()
    assert look(folder).counts.lost == len(folds) - 1


def test_looking_changes_nothing(tmp_path: Path) -> None:
    folder = make_run(tmp_path, trials=4, stop=stop_after(5))
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}
    look(folder)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")} == before


def test_status_loads_nothing_heavy(tmp_path: Path) -> None:
    folder = make_run(tmp_path, trials=2)
    heavy = ("torch", "transformers", "ray", "optuna", "sklearn", "scipy")
    script = (
        "import sys; from harness.cli.main import run; "
        f"assert run(['status', {str(folder)!r}]) == 0; print([m for m in {heavy} if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "[]"


def _sign(folder: Path, *, since: str) -> None:
    (folder / CLAIM).write_text(json.dumps({"pid": 1, "host": "here", "since": since}))
