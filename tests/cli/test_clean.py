"""`harness clean`: disk is freed and no result is lost; and what a run says whose disk is full."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_verbs import loaded_by

if TYPE_CHECKING:
    from tests.cli.conftest import Answer, Place

Harness = Callable[..., "Answer"]


def shelf(place: Place) -> list[Path]:
    return list((place.spec.parent / "cache" / "harness" / "shelf").glob("*/float*"))


def test_clean_alone_says_what_it_would_free_and_removes_nothing(finished: Place, harness: Harness) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.results.rglob("*")}
    answer = harness("clean", "--results", finished.results)
    assert answer.code == 0
    assert "(harness clean --shelf)" in answer.out
    assert f"{finished.run}: 0 files that nothing names, 0 B (harness clean small)" in answer.out
    assert shelf(finished)
    assert {path: path.stat().st_mtime_ns for path in finished.results.rglob("*")} == before


def test_the_shelf_is_freed_and_a_run_is_none_the_wiser(finished: Place, harness: Harness) -> None:
    told = harness("clean", "--shelf", "--dry-run", "--json").document()
    assert shelf(finished)
    freed = harness("clean", "--shelf", "--json").document()
    assert freed["done"] is True
    assert freed["shelf"] == told["shelf"]
    assert freed["shelf"]["free_bytes"] > 0
    assert (freed["runs"], shelf(finished)) == ([], [])
    table = json.loads((finished.run / "table.json").read_text())
    assert harness("run", finished.spec, "--results", finished.results, "-q").code == 0
    assert json.loads((finished.run / "table.json").read_text()) == table


def test_what_nothing_names_is_removed_from_a_run_and_nothing_else(finished: Place, harness: Harness) -> None:
    kept = {path.name for path in (finished.run / "predictions").iterdir()}
    orphan = finished.run / "predictions" / "0123456789abcdef-t0-r0-f0.parquet"
    orphan.write_bytes(b"x" * 1000)
    former = finished.run / "rows" / "0123456789abcdef.parquet"
    former.write_bytes(b"y" * 500)
    answer = harness("clean", "small", "--results", finished.results)
    assert answer.code == 0
    assert (
        "2 files that nothing names, 2 kB freed" in answer.out
        or "2 files that nothing names, 1500" in answer.out
    )
    assert {path.name for path in (finished.run / "predictions").iterdir()} == kept
    assert not former.exists()
    assert len(list((finished.run / "rows").iterdir())) == 2


def test_who_cleans_a_run_has_not_worked_on_it(finished: Place, harness: Harness) -> None:
    before = harness("status", "small", "--results", finished.results, "--json").document()
    claim = (finished.run / "run.lock").read_bytes()
    assert harness("clean", "small", "--results", finished.results).code == 0
    after = harness("status", "small", "--results", finished.results, "--json").document()
    assert (after["phase"], after["since"]) == ("complete", before["since"])
    assert (finished.run / "run.lock").read_bytes() == claim


def test_a_run_in_other_hands_or_with_a_damaged_ledger_is_left_alone(
    finished: Place, harness: Harness
) -> None:
    from harness.record.files import claim_run

    orphan = finished.run / "predictions" / "0123456789abcdef-t0-r0-f0.parquet"
    orphan.write_bytes(b"x")
    with claim_run(finished.run):
        answer = harness("clean", "small", "--results", finished.results)
    assert (answer.code, orphan.exists()) == (4, True)
    assert "is working on this run" in answer.err
    ledger = finished.run / "ledger.jsonl"
    ledger.write_text("".join(ledger.read_text().splitlines(True)[3:]))
    answer = harness("clean", "small", "--results", finished.results)
    assert (answer.code, orphan.exists()) == (4, True)
    assert "nothing of this run is removed" in answer.err


def test_cleaning_imports_nothing_heavy() -> None:
    assert loaded_by("clean") == []


def test_a_disk_that_is_full_says_what_is_safe_and_what_frees_it(
    suite: Place, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, left = os.write, [3]

    def fill_up(descriptor: int, data: bytes) -> int:  # the system's own, after three folds
        if b'"event":"fold"' in bytes(data):
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fill_up)
        answer = harness("run", suite.spec, "--results", suite.results, "-q")
    assert answer.code == 4
    assert answer.err.startswith("disk full: ")
    assert "Stopped cleanly; 3 folds are safe. Free about " in answer.err
    assert "and run the same command again." in answer.err
    assert "Traceback" not in answer.err
    assert suite.folds() == 3
    assert harness("run", suite.spec, "--results", suite.results, "-q").code == 0
