"""A run is killed, and its disk refuses, at every moment: nothing acknowledged is lost, and its tables come out alike.

I1, I2, I3, I5 and I6 of what must hold, on a suite of made-up folds in one process. `faulted.py` forks the cases.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.whole, pytest.mark.faults]
FAULTED, DISKS = (Path(__file__).with_name(name) for name in ("faulted.py", "disks.py"))
LIMIT_S = 600  # of a machine with much else to do: 40 s of processor time


def start(command: Path, *arguments: object) -> subprocess.Popen[str]:
    words = [sys.executable, str(command), *map(str, arguments)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def read_cases(*commands: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """Return what became of every case, after nothing was found broken."""
    cases = []
    for command in commands:
        out, err = command.communicate(timeout=LIMIT_S)
        assert command.returncode == 0, err[-4000:]
        cases += [json.loads(line) for line in out.splitlines()]
    assert [case for case in cases if case["broken"]] == []
    return cases


def run_calls(folder: Path, way: str) -> list[dict[str, Any]]:
    """Let every call fail in one way, every other in one of two processes."""
    return read_cases(*(start(FAULTED, "calls", folder / str(first), way, first, 2) for first in (0, 1)))


def test_a_driver_killed_at_fifty_seeded_moments_resumes_to_the_same_tables(tmp_path: Path) -> None:
    halves = (start(FAULTED, "kills", tmp_path / str(seed), seed, seed + 25) for seed in (0, 25))
    cases = read_cases(*halves)
    assert len(cases) == 50
    assert sum(case["kills"] for case in cases) >= 50  # of three a seed; some come after the end


@pytest.mark.parametrize("way", ["kill", "half"])
def test_a_kill_at_every_call_that_changes_a_file_loses_nothing(tmp_path: Path, way: str) -> None:
    cases = run_calls(tmp_path, way)
    assert {case["code"] for case in cases} == {-9}
    calls = Counter(case["call"] for case in cases)
    assert calls["write"] > 25
    if way == "kill":
        assert min(calls["fsync"], calls["replace"], calls["open"]) > 15


@pytest.mark.parametrize("way", ["full", "broken"])
def test_a_disk_that_refuses_any_call_ends_the_run_with_exit_code_4_and_what_is_safe(
    tmp_path: Path, way: str
) -> None:
    cases = run_calls(tmp_path, way)
    assert {case["code"] for case in cases if case["call"] != "mkdir"} == {4}
    assert len(cases) > 50


def may_mount() -> bool:
    """Say whether this process may make a small file system of its own; one that may not has limits to try."""
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", folder], capture_output=True, check=False
        )
        if mounted.returncode == 0:
            subprocess.run(["umount", folder], check=True)
    return mounted.returncode == 0


def test_a_disk_that_is_full_is_exit_code_4_and_the_run_goes_on_when_there_is_room(tmp_path: Path) -> None:
    names = ["limit 700", "limit 3000", "limit 9000"]
    if may_mount():
        names += ["tmpfs 16k", "tmpfs 40k", "tmpfs 64k"]
    for case in read_cases(start(DISKS, tmp_path, *names)):
        assert case["code"] == 4, case
        assert case["seconds"] < 10
        assert "Everything recorded before is safe. Free space" in case["said"]


def test_results_that_cannot_be_written_are_exit_code_4_within_ten_seconds(tmp_path: Path) -> None:
    cases = read_cases(start(DISKS, tmp_path, "read-only", "a file", "a loop"))
    assert [case["code"] for case in cases] == [4, 4, 4]
    assert max(case["seconds"] for case in cases) < 10
    remedies = ["Make the folder writable", "Move what is in the way", "Move what is in the way"]
    for case, remedy in zip(cases, remedies, strict=True):
        assert remedy in case["said"]


def test_a_second_process_is_told_who_has_the_run_within_two_seconds(tmp_path: Path) -> None:
    (case,) = read_cases(start(DISKS, tmp_path, "second"))
    assert case["code"] == 4
    assert case["seconds"] < 2
    assert f"process OWNER on host {socket.gethostname()}" in case["said"]


def test_a_process_that_is_stopped_and_goes_on_ends_as_any_other(tmp_path: Path) -> None:
    (case,) = read_cases(start(DISKS, tmp_path, "stopped"))
    assert (case["code"], case["said"]) == (0, "")
