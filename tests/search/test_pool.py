from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from harness.errors import AssetError, DataError
from harness.record.scores import FoldJob, FoldScore
from harness.search.pool import LocalPool

ROOT = Path(__file__).parents[2]
JOB = FoldJob(
    study="s", task="t", backbone="b", arm="a", kind="baseline", trial=0, repeat=0, fold=1, candidate=None
)


def test_a_fault_that_the_scorer_did_not_catch_is_the_folds_and_not_the_pools() -> None:
    def score(job: FoldJob) -> FoldScore:
        raise KeyError("row 7:\nis bad\nvery\nbad")

    pool = LocalPool(lambda: score)
    pool.submit(JOB, None)
    assert pool.idle() == ()
    ((job, answer),) = pool.wait(1.0)
    assert (job, answer.key, answer.state) == (JOB, JOB.key, "error")
    assert answer.error is not None
    assert answer.error.startswith("KeyError: 'row 7:")
    assert pool.idle() == (("t", "b"),)
    assert pool.wait(1.0) == []
    pool.close()


def test_a_bench_that_cannot_be_opened_is_the_folds_fault_and_says_why() -> None:
    def score(job: FoldJob) -> FoldScore:
        raise DataError("tasks.t: its data changed since the run was planned")

    pool = LocalPool(lambda: score)
    pool.submit(JOB, None)
    ((_, answer),) = pool.wait(1.0)
    assert (answer.state, answer.error) == ("error", "tasks.t: its data changed since the run was planned")


def test_a_scorer_that_cannot_be_opened_ends_the_run() -> None:
    def open_scorer() -> Callable[[FoldJob], FoldScore]:
        raise AssetError("minilm is not here")

    pool = LocalPool(open_scorer)
    pool.submit(JOB, None)
    with pytest.raises(AssetError, match="minilm is not here"):
        pool.wait(1.0)


def test_the_local_pool_does_not_load_ray() -> None:
    code = "import sys, harness.search.pool, harness.search.drive; print({'ray', 'optuna', 'torch'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout == "set()\n"


def test_a_score_for_another_fold_is_a_bug_of_ours() -> None:
    pool = LocalPool(lambda: lambda job: FoldScore(study="s", trial=0, repeat=0, fold=9, state="ok"))
    pool.submit(JOB, None)
    with pytest.raises(AssertionError, match="was answered"):
        pool.wait(1.0)


def test_a_fold_over_its_limit_is_given_up_and_its_benches_are_opened_anew() -> None:
    opened: list[str] = []

    def open_scorer() -> Callable[[FoldJob], FoldScore]:
        opened.append("once more")

        def score(job: FoldJob) -> FoldScore:
            try:
                time.sleep(30 if len(opened) == 1 else 0)
            except Exception:  # noqa: BLE001  # what a careless library does
                time.sleep(30)
            return FoldScore(study="s", trial=0, repeat=0, fold=1, state="ok")

        return score

    pool = LocalPool(open_scorer)
    began = time.monotonic()
    pool.submit(JOB, 0.2)
    ((job, answer),) = pool.wait(1.0)
    assert time.monotonic() - began < 5
    assert (job, answer.key, answer.state) == (JOB, JOB.key, "timeout")
    assert answer.error == "no answer within 0.2 s: its worker was replaced"
    assert pool.idle() == (None,)
    pool.submit(JOB, 30.0)
    ((_, answer),) = pool.wait(1.0)
    assert (answer.state, len(opened)) == ("ok", 2)


def test_a_limit_leaves_the_alarms_of_others_alone() -> None:
    heard: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        heard.append(number)

    before = signal.signal(signal.SIGALRM, note)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        pool = LocalPool(lambda: lambda job: FoldScore(study="s", trial=0, repeat=0, fold=1, state="ok"))
        pool.submit(JOB, 60.0)
        pool.wait(1.0)
        assert signal.getsignal(signal.SIGALRM) is note
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 0.3
        time.sleep(0.5)
        assert heard == [signal.SIGALRM]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_thread_that_hears_no_signals_has_no_limit() -> None:
    def score(job: FoldJob) -> FoldScore:
        time.sleep(0.3)
        return FoldScore(study="s", trial=0, repeat=0, fold=1, state="ok")

    pool = LocalPool(lambda: score)
    pool.submit(JOB, 0.1)
    answers: list[FoldScore] = []
    thread = threading.Thread(target=lambda: answers.extend(score for _, score in pool.wait(1.0)))
    thread.start()
    thread.join()
    assert [answer.state for answer in answers] == ["ok"]
