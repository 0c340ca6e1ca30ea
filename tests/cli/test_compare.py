"""Two runs compared from the command line, as a pipeline of anybody's would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Answer, Place

Harness = Callable[..., "Answer"]


def run_again(place: Place, harness: Harness, *changes: str) -> Path:
    """Run the finished suite with other settings into a folder of its own, and return that."""
    flags = [part for change in changes for part in ("--set", change)]
    results = place.spec.parent / "again"
    assert harness("run", place.spec, "--results", results, "-q", *flags).code == 0
    return results / "small"


def test_a_run_has_not_regressed_from_itself(finished: Place, harness: Harness) -> None:
    answer = harness("compare", "small", finished.run, "--results", finished.results)
    assert (answer.code, answer.err) == (0, "")
    assert "no regression: 8 held; tolerance .01." in answer.out


def test_an_arm_that_learns_no_more_fails_the_pipeline(
    finished: Place, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    dull = "arms.full={freeze_depth: 0, epochs: 1, head_lr: 1e-9, backbone_lr: 1e-9}"
    worse = run_again(finished, harness, dull, "baselines=[majority]", "arms.extra={epochs: 1}")
    answer = harness("compare", finished.run, worse, "--json")
    cells = {(cell["task"], cell["arm"]): cell for cell in answer.document()["cells"]}
    states = {name: cell["state"] for name, cell in cells.items()}
    assert answer.code == 1
    assert answer.document()["regressions"] == list(states.values()).count("regressed") >= 1, states
    assert answer.document()["compared"] == 6
    assert states["score", "full"] == "regressed"  # by its rmse, which falls where it is better
    assert states["score", "head-only"] == states["score", "majority"] == "held"
    assert states["score", "probe"] == "only in A"
    assert states["score", "extra"] == "only in B"
    lost = cells["score", "full"]
    assert lost["examples"] == 48
    assert lost["second"] - lost["first"] == pytest.approx(lost["difference"])
    assert 0 < lost["low"] <= lost["difference"] <= lost["high"]
    assert harness("compare", finished.run, worse, "--tolerance", "100").code == 0

    for columns in ("80", "40"):
        monkeypatch.setenv("COLUMNS", columns)
        shown = harness("compare", finished.run, worse)
        assert shown.code == 1
        words = " ".join(shown.out.split())
        assert "regressed: score · full" in words
        assert "score · probe: only in A: B has no such cell." in words
        assert max(map(len, shown.out.split("\n"))) <= int(columns) or str(worse) in shown.out


def test_runs_that_cannot_be_compared_are_refused(finished: Place, harness: Harness) -> None:
    other = run_again(finished, harness, "tasks.mood.metric=macro-f1")
    answer = harness("compare", finished.run, other)
    assert (answer.code, answer.out) == (2, "")
    assert "task 'mood' is measured by accuracy in the first run and by macro-f1 in the second" in answer.err
    assert harness("compare", finished.run, "nowhere").code == 2
    for tolerance in ("-1", "nan"):
        assert harness("compare", finished.run, finished.run, "--tolerance", tolerance).code == 2
