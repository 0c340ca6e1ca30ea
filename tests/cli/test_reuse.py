"""What an edit of a spec or of its data leaves as it was, what it makes new, and that `plan` says why."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Answer, Place

Harness = Callable[..., "Answer"]

CELLS = 2 * (2 + 2)  # tasks x (arms + baselines)
IDENTIFIED = "data: {csv: texts.csv, text: text, label: label, group: author, id: name}"


def edit(path: Path, old: str, new: str, count: int = -1) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, count))


def plan(place: Place, harness: Harness, *flags: str) -> dict[str, Any]:
    answer = harness("plan", place.spec, "--results", place.results, "--json", "--no-timing", *flags)
    assert answer.code == 0, answer.err
    reuse: dict[str, Any] = answer.document()["reuse"]
    return reuse


def reasons(reuse: dict[str, Any]) -> dict[str, int]:
    return {"; ".join(each["why"]): each["cells"] for each in reuse["reasons"]}


def test_a_suite_without_a_run_reuses_nothing_and_says_nothing_of_it(suite: Place, harness: Harness) -> None:
    assert plan(suite, harness) is None
    assert "reused" not in harness("plan", suite.spec, "--results", suite.results).out


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tasks:", "# a comment\ntasks:"),
        ("workers: 1", "workers: 2"),
        ("search:", "budget: {hours: 3}\nsearch:"),
        ("A tiny BERT", "Another description of a BERT"),
        ("trials: 1", "trials: 5"),
        ("folds: 2}", "folds: 2, confirm: {top: 1, repeats: 1}, fractions: [0.5]}"),
        ("  full: {", "  whole: {"),
        ("  mood:", "  sentiment:"),
        ("bert: {", "little: {"),
    ],
    ids=["comment", "workers", "budget", "description", "trials", "confirm", "arm", "task", "backbone"],
)
def test_an_edit_that_changes_no_number_reuses_everything(
    finished: Place, harness: Harness, old: str, new: str
) -> None:
    edit(finished.spec, old, new)
    reuse = plan(finished, harness)
    assert reuse == {"reused": CELLS, "waiting": 0, "new": 0, "left": 0, "reasons": []}


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (
            "log: [1e-3, 1e-2]",
            "log: [1e-4, 1e-2]",
            {"arms.full.backbone_lr: {log: [0.001, 0.01]} → {log: [0.0001, 0.01]}": 2},
        ),
        ("metric: rmse", "metric: spearman", {"tasks.score.metric: 'rmse' → 'spearman'": 4}),
        ("folds: 2", "folds: 3", {"protocol.folds: 2 → 3": CELLS}),
        ("    metric: rmse", "    metric: rmse\n    protocol: {folds: 3}", {"tasks.score.protocol.folds: 2 → 3": 4}),
        ("version: 1", "version: 1\nseed: 4", {"seed: 0 → 4": CELLS}),
        ("sampler: random", "sampler: grid", {"search.sampler: 'random' → 'grid'": 4}),
        ("  full: {", "  deep: {freeze_depth: 1}\n  full: {", {"arms.deep is new": 2}),
        ("[majority, probe]", "[majority, probe, generic]", {"baselines: generic is new": 2}),
        ("{model: tiny-bert}", "{model: tiny-bert, pooling: cls}", {"backbones.bert.pooling: 'mean' → 'cls'": CELLS}),
        ("threads: 1}", "threads: 1, shelf: fp16}", {"compute.shelf: 'float32' → 'fp16'": CELLS}),
        ("    metric: rmse", "    metric: rmse\n    max_tokens: 9", {"tasks.score.max_tokens: nothing → 9": 4}),
    ],
    ids=["range", "metric", "folds", "own folds", "seed", "sampler", "arm", "baseline", "pooling", "shelf", "tokens"],
)  # fmt: skip
def test_an_edit_makes_only_the_cells_new_that_it_touches_and_the_plan_says_why(
    finished: Place, harness: Harness, old: str, new: str, why: dict[str, int]
) -> None:
    if "grid" in new:
        edit(finished.spec, "{log: [1e-2, 1e-1]}", "{choice: [1e-2, 1e-1]}")
        edit(finished.spec, "{log: [1e-3, 1e-2]}", "{choice: [1e-3, 1e-2]}")
    edit(finished.spec, old, new)
    reuse = plan(finished, harness)
    found = reasons(reuse)
    if "grid" in new:  # with ranges that a grid can walk
        assert all(any(each in told for told in found) for each in why)
    else:
        assert found == why
    assert reuse["new"] == sum(found.values())
    fresh = reuse["reused"] + reuse["new"] - CELLS  # cells that the run did not have at all
    assert (fresh, reuse["left"]) == (reuse["new"], 0) if "is new" in str(found) else (0, reuse["new"])


def test_what_is_touched_runs_again_and_no_table_mixes_old_and_new(finished: Place, harness: Harness) -> None:
    before = finished.folds()
    old = json.loads((finished.run / "table.json").read_text())
    edit(finished.spec, "log: [1e-3, 1e-2]", "log: [1e-4, 1e-3]")
    told = harness("plan", finished.spec, "--results", finished.results).out
    assert "reused: 6 cells · new: 2 (arms.full.backbone_lr: {log: [0.001, 0.01]} →" in told
    assert harness("run", finished.spec, "--results", finished.results, "-q").code == 0
    assert finished.folds() == before + 2 * 2  # the arm on both tasks, two folds each
    table = json.loads((finished.run / "table.json").read_text())
    same = [cell for cell in old["cells"] if cell["arm"] != "full"]
    assert [{**cell, "pairwise": 0, "p_best": 0} for cell in table["cells"] if cell["arm"] != "full"] == [
        {**cell, "pairwise": 0, "p_best": 0} for cell in same
    ]
    rates = pq.read_table(finished.run / "folds.parquet").to_pylist()
    assert all(row["backbone_lr"] <= 1e-3 for row in rates if row["arm"] == "full")
    assert "what 2 former cells found stays in the ledger" not in harness("plan", finished.spec).out
    again = plan(finished, harness)
    assert (again["reused"], again["new"]) == (CELLS, 0)


def test_what_was_planned_and_not_begun_is_not_called_new(finished: Place, harness: Harness) -> None:
    ledger = finished.run / "ledger.jsonl"
    ledger.write_text("".join(line for line in ledger.read_text().splitlines(True)[:3]))
    reuse = plan(finished, harness)
    assert (reuse["reused"], reuse["waiting"], reuse["new"]) == (1, CELLS - 1, 0)


def test_rows_that_came_went_and_changed_are_counted_by_id(suite: Place, harness: Harness) -> None:
    table = suite.spec.parent / "texts.csv"
    header, *rows = table.read_text().splitlines()
    named = [f"{row},r{number}" for number, row in enumerate(rows)]
    table.write_text("\n".join([f"{header},name", *named]))
    edit(suite.spec, "data: {csv: texts.csv, text: text, label: label, group: author}", IDENTIFIED)
    quick = ("--set", "baselines=[majority]", "--set", "arms={head-only: {freeze_depth: all, epochs: 1}}")
    assert harness("run", suite.spec, "--results", suite.results, "-q", *quick).code == 0
    kept = sorted((suite.run / "rows").iterdir())
    assert [set(pq.read_table(path).column_names) for path in kept] == [{"id", "content", "label"}] * 2

    named[3] = named[3].replace("film", "filn")  # one byte
    named[4] = named[4].replace(",neg,", ",pos,")
    table.write_text(
        "\n".join([f"{header},name", *named[1:], *named[:1], "the film was good,pos,1.5,a1,new"])
    )
    reuse = plan(suite, harness, *quick)
    told = reasons(reuse)
    mood = "tasks.mood: data changed: 1 row added, 0 removed, 2 changed (1 in the label), 46 unchanged"
    assert told[mood] == 2
    assert (reuse["reused"], reuse["new"], reuse["left"]) == (0, 4, 4)
    # the other task has no ids: a row that changed is another row
    assert told["tasks.score: data changed: 2 rows added, 1 removed, 0 changed, 47 unchanged"] == 2


def test_data_that_were_only_touched_or_sorted_otherwise_are_the_same(
    finished: Place, harness: Harness
) -> None:
    table = finished.spec.parent / "texts.csv"
    os.utime(table, (0, 0))
    assert plan(finished, harness)["new"] == 0
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header, *reversed(rows)]) + "\n")
    before = (finished.run / "ledger.jsonl").read_bytes()
    assert plan(finished, harness)["new"] == 0
    assert harness("run", finished.spec, "--results", finished.results, "-q").code == 0
    assert (finished.run / "ledger.jsonl").read_bytes() == before  # the folds are by id, so nothing is to do


def test_weights_that_changed_make_everything_new(finished: Place, harness: Harness) -> None:
    config = finished.spec.parent / "tiny-bert" / "config.json"
    config.write_text(config.read_text() + "\n")
    assert reasons(plan(finished, harness)) == {"backbones.bert: its weights changed": CELLS}


def test_a_run_that_kept_no_rows_still_says_that_its_data_changed(finished: Place, harness: Harness) -> None:
    for path in (finished.run / "rows").iterdir():
        path.unlink()
    edit(finished.spec.parent / "texts.csv", "warm 1,", "warn 1,")
    assert set(reasons(plan(finished, harness))) == {
        f"tasks.{task}: data changed (the run kept no rows to compare with)" for task in ("mood", "score")
    }


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda text: text.replace('"schema_version": 1', '"schema_version": 0'), "of schema 0"),
        (lambda text: text.replace('"head_lr"', '"heads_lr"'), "cannot be read by this version"),
        (lambda text: text[:100], "is damaged"),
    ],
    ids=["schema", "foreign key", "torn"],
)
def test_a_run_of_another_version_is_planned_beside_and_the_plan_says_so(
    finished: Place, harness: Harness, damage: Callable[[str], str], says: str
) -> None:
    lock = finished.run / "lock.json"
    lock.write_text(damage(lock.read_text()))
    edit(finished.spec, "version: 1", "version: 1\nseed: 9")
    reuse = plan(finished, harness)
    assert reuse["new"] == CELLS
    assert says in str(reuse["reasons"])
