"""What one fit takes: measured with real fits of a tiny network, remembered by content, and read again."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import EnvironmentFault
from harness.plan import Plan
from harness.prospect.timing import Timing, hint_fits, list_benches, read_timings, time_bench
from harness.record.scores import FoldJob, FoldScore
from harness.spec.models import Spec
from tests.test_plan import plan_of, read

BENCH = ("t", "b")
LINE = Timing(
    open_s=1.0, fill_s=2.0, depths=((0, 4.0), (4, 1.0)), baselines=(("probe", 0.5),), peak_bytes=1, shelf_bytes=1
)  # fmt: skip


class Worker:
    """Answers as a worker does, with the seconds that it is told by depth."""

    def __init__(self, state: str = "ok") -> None:
        self.jobs: list[FoldJob] = []
        self.state = state

    def score(self, job: FoldJob) -> FoldScore:
        self.jobs.append(job)
        depth = None if job.candidate is None else job.candidate.freeze_depth
        fit_s = 0.25 if depth is None else 3.0 - depth + (0.5 if len(self.jobs) == 1 else 0.0)
        state = self.state if depth == 0 else "ok"
        return FoldScore(
            study=job.study, trial=0, repeat=0, fold=0, state=state, fit_s=fit_s,
            cpu_s=fit_s / 2, peak_rss_bytes=10 * len(self.jobs),
            error=None if state == "ok" else "too much",
        )  # type: ignore[arg-type]  # fmt: skip


def suite(**arm: object) -> tuple[Plan, Spec]:
    spec = read(
        arms={"full": {}, "some": {"freeze_depth": {"int": [1, "all"]}, **arm}},
        baselines=["majority", "probe"],
    )
    return plan_of(spec), spec


def take(plan: Plan, spec: Spec, cache: Path, worker: Worker) -> Timing | str:
    return time_bench(plan, spec, BENCH, cache, score=worker.score, clock=itertools.count(0.0, 10.0).__next__)


def test_both_ends_of_the_depths_are_fitted_for_one_epoch_and_each_baseline_once(tmp_path: Path) -> None:
    plan, spec = suite(epochs={"int": [2, 8]}, head_lr={"log": [1e-3, 1e-1]}, early_stopping={"patience": 1})
    worker = Worker()
    timing = take(plan, spec, tmp_path, worker)
    assert isinstance(timing, Timing)
    candidates = [job.candidate for job in worker.jobs if job.candidate is not None]
    assert [candidate.freeze_depth for candidate in candidates] == [2, 2, 0]
    assert {(candidate.epochs, candidate.patience) for candidate in candidates} == {(1, None)}
    assert candidates[0].head_lr == 1e-3
    assert timing.depths == ((0, 3.0), (2, 1.0))
    assert (timing.open_s, timing.fill_s) == (8.5, 0.5)
    assert timing.baselines == (("majority", 0.25), ("probe", 0.25))
    assert timing.peak_bytes == 30


def test_a_timing_on_busy_cores_says_so(tmp_path: Path) -> None:
    plan, spec = suite()
    timing = take(plan, spec, tmp_path, Worker())
    assert isinstance(timing, Timing)
    assert timing.busy == 2.0  # the worker has the processor half of the time


def test_what_was_measured_is_read_again_until_something_changes_that_it_depends_on(tmp_path: Path) -> None:
    plan, spec = suite()
    assert read_timings(plan, spec, tmp_path) == {}
    taken = take(plan, spec, tmp_path, Worker())
    assert read_timings(plan, spec, tmp_path) == {BENCH: taken}
    renamed = replace(plan, suite="other")
    assert read_timings(renamed, spec, tmp_path) == {BENCH: taken}
    threads = spec.model_copy(update={"compute": spec.compute.model_copy(update={"threads": 4})})
    assert read_timings(plan, threads, tmp_path) == {}
    larger, spec_of_larger = suite(batch_size=64)
    assert read_timings(larger, spec_of_larger, tmp_path) == {}


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"depths": 1}'])
def test_a_timing_that_is_damaged_is_measured_again(tmp_path: Path, damage: str) -> None:
    plan, spec = suite()
    take(plan, spec, tmp_path, Worker())
    (kept,) = (tmp_path / "timings").iterdir()
    kept.write_text(damage)
    assert read_timings(plan, spec, tmp_path) == {}


def test_one_fit_that_is_more_than_the_memory_is_refused(tmp_path: Path) -> None:
    plan, spec = suite()
    with pytest.raises(EnvironmentFault, match="t · b: one fit is more than the memory here") as refusal:
        take(plan, spec, tmp_path, Worker("oom"))
    assert refusal.value.exit_code == 3


def test_a_fit_that_fails_says_why_and_leaves_no_timing(tmp_path: Path) -> None:
    plan, spec = suite()
    assert take(plan, spec, tmp_path, Worker("diverged")) == "t · b could not be timed: too much"
    assert read_timings(plan, spec, tmp_path) == {}


def test_depths_between_lie_on_the_line_and_epochs_cost_what_they_train() -> None:
    assert LINE.fit_s(0, 1) == pytest.approx(4.0)
    assert LINE.fit_s(4, 1) == pytest.approx(1.0)
    assert LINE.fit_s(2, 1) == pytest.approx(2.5)
    assert LINE.fit_s(0, 3) == pytest.approx(4.0 * 3.4 / 1.4)
    flat = replace(LINE, depths=((4, 1.0),))
    assert flat.fit_s(0, 1) == flat.fit_s(4, 1) == 1.0


def test_the_hint_of_a_bench_is_the_mean_of_what_its_arms_may_be() -> None:
    plan, _ = suite()
    hints = hint_fits(plan, {BENCH: replace(LINE, depths=((0, 4.0), (2, 1.0)))})
    full, some = 4.0, (2.5 + 1.0) / 2  # of one epoch; both arms have three
    assert hints == {BENCH: pytest.approx((full + some) / 2 * 3.4 / 1.4)}
    assert list_benches(plan) == [BENCH]
