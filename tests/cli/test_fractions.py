"""Learning curves of a finished suite: nothing is searched again, and nothing else of its table changes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from harness.record.ledger import read_history

if TYPE_CHECKING:
    from tests.cli.conftest import Answer, Place

Harness = Callable[..., "Answer"]

FRACTIONS = ("--set", "protocol.fractions=[0.5, 0.8, 1]")


def read_table(place: Place) -> Any:
    """Return a run's table."""
    return json.loads((place.run / "table.json").read_text())


def leave_out_curves(table: Any) -> Any:
    """Return a table without what fractions add to it."""
    cells = [
        {key: value for key, value in cell.items() if key != "learning_curve"} for cell in table["cells"]
    ]
    verdicts = [each for each in table["verdicts"] if each["question"] != "would more data help?"]
    return table | {"cells": cells, "verdicts": verdicts, "protocol": None}


def test_a_finished_suite_gets_curves_and_nothing_else_of_its_table_changes(
    finished: Place, harness: Harness
) -> None:
    before = read_table(finished)
    searched = finished.folds()
    plan = harness("plan", finished.spec, "--results", finished.results, *FRACTIONS)
    assert "2 folds, then on 0.5, 0.8 of the rows" in plan.out
    assert f"{searched + 8 * 4} fits at most, {searched} known" in plan.out

    answer = harness("run", finished.spec, "--results", finished.results, *FRACTIONS)
    assert answer.code == 0
    assert "learning curve of mood (50 %, 80 %, all)" in answer.out
    assert "would more data help? mood" in answer.out
    after = read_table(finished)
    assert leave_out_curves(after) == leave_out_curves(before)
    assert finished.folds() == searched + 8 * 4  # two tasks of four cells, two fractions of two folds each
    for cell in after["cells"]:
        points = cell["learning_curve"]
        assert [point["fraction"] for point in points] == [0.5, 0.8, 1.0]
        rows = [point["n_train"] for point in points]
        assert rows[0] < rows[1] < rows[2] == 24
        assert all(point["low"] <= point["score"] <= point["high"] for point in points)
    folds = pq.read_table(finished.run / "folds.parquet").to_pylist()
    assert Counter(row["fraction"] for row in folds) == {1.0: searched, 0.5: 16, 0.8: 16}
    assert 'id="learning"' in (finished.run / "report.html").read_text()

    harness("run", finished.spec, "--results", finished.results, *FRACTIONS)
    assert finished.folds() == searched + 8 * 4  # the same command has nothing left to do
    assert read_table(finished) == after


def test_all_arms_of_a_task_are_fitted_on_the_same_rows(finished: Place, harness: Harness) -> None:
    harness("run", finished.spec, "--results", finished.results, *FRACTIONS, "-q")
    counted: dict[tuple[str, int, float], set[int]] = {}
    for row in pq.read_table(finished.run / "folds.parquet").to_pylist():
        counted.setdefault((row["task"], row["fold"], row["fraction"]), set()).add(row["n_train"])
    assert len(counted) == 2 * 2 * 3
    assert all(len(rows) == 1 for rows in counted.values())


def test_a_budget_that_ends_inside_the_curves_says_what_is_missing(finished: Place, harness: Harness) -> None:
    ledger = finished.run / "ledger.jsonl"
    searched = ledger.read_bytes()
    harness("run", finished.spec, "--results", finished.results, *FRACTIONS, "-q")
    whole = read_table(finished)
    lines = ledger.read_bytes().removeprefix(searched).splitlines(keepends=True)
    kept = searched + b"".join(lines[:-5])
    ledger.write_bytes(kept)
    command = ("run", finished.spec, "--results", finished.results, *FRACTIONS)
    harness("report", finished.run)
    cells = read_table(finished)["cells"]
    missing = [cell for cell in cells if len(cell["learning_curve"]) < 3]
    assert missing
    for cell in missing:
        assert "the same command fits the others" in cell["note"]
    assert harness(*command, "--set", "budget.hours=1e-9", "-q").code == 0
    assert finished.folds() == kept.count(b'"event":"fold"')
    assert harness(*command, "-q").code == 0
    table = read_table(finished)
    lost = table["notes"].pop()
    assert "the lines at its end were lost" in lost
    assert leave_out_curves(table) == leave_out_curves(whole)
    points = [(cell["arm"], len(cell["learning_curve"])) for cell in read_table(finished)["cells"]]
    assert points == [(cell["arm"], 3) for cell in whole["cells"]]
    assert {record.state for record in read_history(finished.run).trials.values()} == {"complete"}
