"""A control stands among the baselines in every form, and says what it is."""

from __future__ import annotations

import csv
import io
import json
import runpy
from pathlib import Path

import pytest

from harness.judge.comparison import Comparison
from harness.record.incumbents import Incumbents
from harness.report import csv as as_csv
from harness.report import html, latex, markdown, terminal
from harness.report import json as as_json

compare = runpy.run_path(str(Path(__file__).parents[1] / "judge" / "test_control.py"))["compare"]


@pytest.fixture(scope="module")
def controlled() -> Comparison:
    return compare()


@pytest.mark.parametrize("width", [80, 40])
def test_a_terminal_lists_it_among_the_baselines(controlled: Comparison, width: int) -> None:
    shown = terminal.render(controlled, width=width)
    told = " ".join(shown.replace("·", " ").split())  # a line may break at a dot
    assert "baselines: majority .43 probe .64 scratch (control) .59" in told
    assert "does pretraining pay? reviews yes" in told
    assert all(len(line) <= width for line in shown.splitlines())


def test_tables_for_programs_have_its_kind(controlled: Comparison) -> None:
    cells = {cell["arm"]: cell for cell in json.loads(as_json.render(controlled))["cells"]}
    assert {arm: cell["kind"] for arm, cell in cells.items()} == {
        "majority": "baseline",
        "probe": "baseline",
        "scratch": "control",
        "full": "arm",
    }
    assert cells["scratch"]["pairwise"] == []
    assert cells["scratch"]["optimism"] is not None
    rows = {row["arm"]: row for row in csv.DictReader(io.StringIO(as_csv.render(controlled)))}
    assert rows["scratch"]["kind"] == "control"


def test_tables_for_people_name_it_below_the_arms(controlled: Comparison) -> None:
    found = markdown.render(controlled).split("## reviews")[1].splitlines()
    names = [line.split("|")[1].strip() for line in found if line.startswith("| ")][2:]
    assert names == ["full", "majority", "probe", "scratch (control)"]
    below = latex.render(controlled).split(r"\midrule")[2]
    assert "scratch (control) & .59" in below


def test_the_page_counts_and_explains_it_only_where_there_is_one(controlled: Comparison) -> None:
    page = html.render(controlled, provenance=None, incumbents=Incumbents())
    assert "<li>1 control</li>" in page
    assert "scratch is the same network from random weights" in page
    assert "scratch (control)" in page
    plain = html.render(compare(beside=("majority", "probe")), provenance=None, incumbents=Incumbents())
    assert "control" not in plain.split("</style>")[1]
