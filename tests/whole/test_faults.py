"""A run is killed, and its disk refuses, at every moment: nothing acknowledged is lost, and its tables come out alike.

I1, I2, I3, I5 and I6 of what must hold, on a suite of made-up folds in one process. `faulted.py` forks the cases.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.whole
FAULTED = Path(__file__).with_name("faulted.py")
LIMIT_S = 600  # of a machine with much else to do: 40 s of processor time


def run_cases(folder: Path, *arguments: object) -> list[dict[str, Any]]:
    """Return what became of every case, after nothing was found broken."""
    done = subprocess.run(
        [sys.executable, str(FAULTED), arguments[0], str(folder), *map(str, arguments[1:])],
        capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    cases = [json.loads(line) for line in done.stdout.splitlines()]
    assert [case for case in cases if case["broken"]] == []
    return cases


@pytest.mark.parametrize("first", [0, 25])
def test_a_driver_killed_at_seeded_moments_resumes_to_the_same_tables(tmp_path: Path, first: int) -> None:
    cases = run_cases(tmp_path, "kills", first, first + 25)
    assert len(cases) == 25
    assert sum(case["kills"] for case in cases) >= 25  # some come after the end, most in the middle


@pytest.mark.parametrize("way", ["kill", "half"])
def test_a_kill_at_every_call_that_changes_a_file_loses_nothing(tmp_path: Path, way: str) -> None:
    cases = run_cases(tmp_path, "calls", way, 0, 1)
    assert {case["code"] for case in cases} == {-9}
    calls = Counter(case["call"] for case in cases)
    assert calls["write"] > 25
    if way == "kill":
        assert min(calls["fsync"], calls["replace"], calls["open"]) > 15


@pytest.mark.parametrize("way", ["full", "broken"])
def test_a_disk_that_refuses_any_call_ends_the_run_with_exit_code_4_and_what_is_safe(
    tmp_path: Path, way: str
) -> None:
    cases = run_cases(tmp_path, "calls", way, 0, 1)
    assert {case["code"] for case in cases if case["call"] != "mkdir"} == {4}
    assert len(cases) > 50
