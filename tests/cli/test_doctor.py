"""`harness doctor` from the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_verbs import loaded_by

if TYPE_CHECKING:
    from tests.cli.conftest import Answer

Harness = Callable[..., "Answer"]


def test_a_machine_that_is_well_says_so_line_by_line(harness: Harness, tmp_path: Path) -> None:
    answer = harness("doctor", "--offline")
    checks = [
        line.split()[1] for line in answer.out.splitlines() if line[1:5].strip() in ("ok", "warn", "fail")
    ]
    assert {
        "python:",
        "cores:",
        "memory:",
        "disk:",
        "results:",
        "fsync:",
        "flock:",
        "gpu:",
        "hub:",
        "ray:",
    } <= set(checks)
    assert answer.out.splitlines()[-1].endswith("0 failures")
    assert answer.code == 0
    assert list(tmp_path.iterdir()) == []


def test_what_stops_a_run_is_exit_code_3_with_its_remedy(harness: Harness) -> None:
    answer = harness("doctor", "--offline", "--results", "/proc/results")
    assert answer.code == 3
    assert " fail results: " in answer.out
    assert "→ make it writable, or give another folder with --results" in answer.out


def test_the_answer_as_json_is_one_document(harness: Harness) -> None:
    document = harness("doctor", "--offline", "--json").document()
    assert document["ok"] is True
    assert {finding["state"] for finding in document["findings"]} <= {"ok", "warn"}
    refused = harness("doctor", "--offline", "--json", "--results", "/proc/results")
    assert (refused.code, refused.document()["ok"]) == (3, False)


def test_no_secret_of_the_environment_is_told(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_TOKEN", "RAY_AUTH_TOKEN", "WANDB_API_KEY"):
        monkeypatch.setenv(name, "canary")
    monkeypatch.setenv("HF_ENDPOINT", "http://me:canary@127.0.0.1:9")
    answer = harness("doctor")
    assert "canary" not in answer.out + answer.err


def test_the_doctor_imports_nothing_heavy() -> None:
    assert loaded_by("doctor", "--offline") == []
