"""What a suite needs of disk and memory, and what is refused because it cannot fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.machine import Machine
from harness.prospect.room import Need, Room, estimate_fit_bytes, measure_room
from harness.prospect.timing import Timing
from harness.record.history import History
from harness.spec.models import Compute
from tests.test_plan import plan_of, read

GB = 10**9
TIMING = Timing(
    open_s=0.0, fill_s=0.0, depths=((0, 1.0),), baselines=(), peak_bytes=3 * GB, shelf_bytes=5 * GB
)  # fmt: skip
MACHINE = Machine(
    cores=4, allowed_cores=4, quota_cores=None, memory_bytes=16 * GB, available_bytes=10 * GB, limit_bytes=None
)  # fmt: skip
PLAN = plan_of(read(search={"trials": 10}))
COMPUTE = Compute()
NEED = Need(plan=PLAN, history=History(trials={}), timings={}, parameters={"b": 10**8}, workers=2)


def measure(folder: Path, need: Need = NEED, machine: Machine = MACHINE, compute: Compute = COMPUTE) -> Room:
    return measure_room(
        need, compute, machine=machine, results=folder / "results" / "plain", cache=folder / "cache"
    )


def test_a_suite_that_fits_is_refused_nothing(tmp_path: Path) -> None:
    room = measure(tmp_path)
    assert room.refusals == ()
    fits = sum(study.fits for study in PLAN.studies)
    assert fits * 5_000 < room.results_bytes < fits * 20_000 + 6_000_000
    assert (room.worker_bytes, room.measured) == (estimate_fit_bytes(10**8, 10**8), False)


def test_a_backbone_that_is_larger_than_the_machine_is_refused_by_name(tmp_path: Path) -> None:
    backbones = {"small": PLAN.survey.backbones["b"], "b": PLAN.survey.backbones["b"]}
    plan = replace(PLAN, survey=replace(PLAN.survey, backbones=backbones))
    need = replace(NEED, plan=plan, parameters={"small": 10**6, "b": 10**9}, workers=1)
    (refusal,) = measure(tmp_path, need).refusals
    assert refusal.startswith("backbones.b: tuning its 1000 M parameters takes")
    limited = replace(MACHINE, limit_bytes=2 * GB)
    (refusal,) = measure(tmp_path, replace(NEED, workers=1), limited).refusals
    assert "this machine gives 1.9" in refusal


def test_an_arm_that_trains_no_block_needs_no_room_for_gradients(tmp_path: Path) -> None:
    blocks = PLAN.survey.backbones["b"].blocks
    plan = plan_of(read(arms={"head": {"freeze_depth": "all"}}, baselines=["majority"]))
    need = replace(NEED, plan=plan, parameters={"b": 10**9}, workers=1)
    assert blocks > 0
    assert measure(tmp_path, need).refusals == ()
    assert measure(tmp_path, replace(need, plan=PLAN)).refusals != ()


def test_the_drivers_memory_refuses_nothing_of_a_cluster_and_only_workers_of_a_gpu(tmp_path: Path) -> None:
    timings = {("t", "b"): replace(TIMING, peak_bytes=9 * GB)}
    vast = replace(NEED, parameters={"b": 10**10}, timings=timings)
    assert len(measure(tmp_path, replace(vast, refused=("t · b: a fit takes 20 GB",))).refusals) == 3
    elsewhere = replace(vast, refused=("t · b: a fit takes 20 GB",))
    room = measure(tmp_path, elsewhere, compute=Compute(address="head:6379"))
    assert (room.refusals, room.elsewhere) == ((), True)
    (refusal,) = measure(tmp_path, vast, compute=Compute(gpus_per_worker=0.5)).refusals
    assert "2 workers" in refusal


def test_more_workers_than_memory_are_refused_with_the_number_that_fits(tmp_path: Path) -> None:
    need = replace(NEED, timings={("t", "b"): TIMING}, workers=4)
    (refusal,) = measure(tmp_path, need).refusals
    assert "4 workers" in refusal
    assert refusal.endswith("3 would fit (--workers 3)")
    assert measure(tmp_path, replace(need, workers=3)).refusals == ()


def test_one_worker_may_try_even_where_little_is_free(tmp_path: Path) -> None:
    need = replace(NEED, timings={("t", "b"): TIMING}, workers=1)
    assert measure(tmp_path, need, replace(MACHINE, available_bytes=GB)).refusals == ()


def test_a_shelf_that_is_beyond_the_free_disk_is_refused_and_its_limit_counts(tmp_path: Path) -> None:
    vast = replace(TIMING, shelf_bytes=10**18)
    need = replace(NEED, timings={("t", "b"): vast})
    (refusal,) = measure(tmp_path, need, compute=Compute(shelf_bytes=10**17)).refusals
    assert "are free" in refusal
    assert "harness clean --shelf" in refusal
    room = measure(tmp_path, need, compute=Compute(shelf_bytes=GB))
    assert (room.shelf_bytes, room.refusals) == (GB, ())


def test_what_lies_on_the_shelf_already_needs_no_more_room(tmp_path: Path) -> None:
    entry = tmp_path / "cache" / "shelf" / "content" / "float32-d1"
    entry.mkdir(parents=True)
    (entry / "states.bin").write_bytes(b"x" * 1000)
    need = replace(NEED, timings={("t", "b"): replace(TIMING, shelf_bytes=1500)})
    assert measure(tmp_path, need).shelf_bytes == 500


@pytest.mark.parametrize("examples", [100, 100_000])
def test_predictions_grow_with_the_rows(tmp_path: Path, examples: int) -> None:
    facts = replace(PLAN.survey.tasks["t"], examples=examples)
    plan = replace(PLAN, survey=replace(PLAN.survey, tasks={"t": facts}))
    fits = sum(study.fits for study in PLAN.studies)
    assert measure(tmp_path, replace(NEED, plan=plan)).results_bytes > fits * examples / 5 * 60
