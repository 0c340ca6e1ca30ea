"""The comparison as files: JSON, CSV, Markdown."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from harness.errors import StorageError
from harness.judge.comparison import Comparison, Ranking, RankRow
from harness.report import csv as as_csv
from harness.report import json as as_json
from harness.report import markdown
from harness.report.write import write_report

CELL = {
    *(
        "task",
        "backbone",
        "arm",
        "kind",
        "score",
        "low",
        "high",
        "raw_best",
        "optimism",
        "train_score",
        "gap",
    ),
    *("depth", "blocks", "trainable_parameters", "fit_s", "trials", "note"),
    "learning_curve",
    *("test_score", "test_low", "test_high", "fold_sd", "seed_sd", "p_best", "deploy", "pairwise"),
    *("test_gap", "metrics", "depths", "components", "importance", "test_pairwise"),
}


def test_table_json_has_every_key_of_its_schema(holed: Comparison) -> None:
    table = json.loads(as_json.render(holed))
    assert set(table) == {
        *("schema_version", "suite", "protocol", "tasks", "cells", "ranking", "backbones", "verdicts"),
        "classes",
        *("ranking_test", "budgets", "notes"),
    }
    assert table["schema_version"] == 1
    assert all(set(cell) == CELL for cell in table["cells"])
    assert table["tasks"][0] == {
        "name": "reviews",
        "type": "text-classification",
        "modality": "text",
        "metric": "macro-f1",
        "higher_is_better": True,
        "examples": 600,
        "groups": None,
        "scheme": "kfold",
        "folds": 3,
    }
    assert set(table["ranking"][0]) == {
        *("arm", "mean_rank", "low", "high", "tier", "p_best", "wins", "ties", "losses"),
    }
    assert table["protocol"]["folds"] == 3
    assert table["notes"] == list(holed.notes)
    assert "The ledger lost 1 line." in table["notes"]


def test_a_missing_cell_is_there_without_a_score_and_with_its_reason(holed: Comparison) -> None:
    cells = json.loads(as_json.render(holed))["cells"]
    (cell,) = [cell for cell in cells if (cell["task"], cell["arm"]) == ("intents", "full")]
    assert cell["score"] is None
    assert cell["note"] == "no complete trial (2 failed, 1 pruned): out of memory"
    assert cell["trials"] == {"ok": 0, "pruned": 1, "failed": 2}


def test_json_is_strict(holed: Comparison) -> None:
    bad = replace(holed, cells=(replace(holed.cells[0], score=math.nan),))
    with pytest.raises(ValueError, match="not JSON compliant"):
        as_json.render(bad)


def test_json_is_the_same_document_whatever_the_names(hostile: tuple[str, Comparison]) -> None:
    name, comparison = hostile
    text = as_json.render(comparison)
    assert text.isascii()
    assert text.replace("\n", "").isprintable()
    assert json.loads(text)["suite"] == name


def test_mean_ranks_as_json() -> None:
    ranking = Ranking(rows=(RankRow(arm="a", mean_rank=1.0),), blocks=2, notes=("Left out: x.",))
    document = json.loads(as_json.render_ranking(ranking))
    assert document["schema_version"] == 1
    assert document["datasets"] == 2
    assert document["ranking"][0]["arm"] == "a"
    assert document["notes"] == ["Left out: x."]


def test_csv_has_one_line_for_each_cell(holed: Comparison) -> None:
    header, *lines = csv.reader(io.StringIO(as_csv.render(holed)))
    assert len(lines) == len(holed.cells)
    row = dict(
        zip(header, next(line for line in lines if line[0] == "intents" and line[2] == "full"), strict=True)
    )
    assert row["score"] == ""
    assert row["trials_failed"] == "2"
    first = dict(zip(header, lines[0], strict=True))
    assert float(first["score"]) == holed.cells[0].score


def test_no_csv_field_is_a_formula(hostile: tuple[str, Comparison]) -> None:
    header, *lines = csv.reader(io.StringIO(as_csv.render(hostile[1])))
    for line in lines:
        assert len(line) == len(header)
        row = dict(zip(header, line, strict=True))
        for name in ("task", "backbone", "arm", "metric", "note"):
            assert not row[name].lstrip().startswith(tuple("=+-@＝＋－＠\t\r\n"))


def test_markdown_shows_ranking_cells_and_notes(holed: Comparison) -> None:
    text = markdown.render(holed)
    assert "| 1.0 [1.0,2.5] | depth | .711 [.66,.76] | .883 [.84,.92] | .819 [.78,.86] |" in text
    assert "| full | missing | – | – | – | – | – | – | – | – | – | – | 0 | 1 | 2 | no complete trial" in text
    assert (
        "| depth | .711 [.66,.76] | .723 | .013 | – | .784 | .06 | 4/6 | 0.002 | 5e-05 | 3.6 M | 0.9 | 2 | 1 | 0 |"
        in text
    )
    assert "- The ledger lost 1 line." in text


def test_markdown_answers_before_it_goes_into_tasks(holed: Comparison) -> None:
    headings = re.findall(r"^## (.+)$", markdown.render(holed), re.M)
    assert headings == ["Ranking", "Verdicts", "reviews", "tickets", "intents", "Notes"]


def test_markdown_names_backbones_where_there_are_several(whole: Comparison) -> None:
    other = tuple(replace(cell, backbone="bert") for cell in whole.cells)
    rows = tuple(replace(row, low=1.0, high=2.0) for row in whole.ranking.rows)
    comparison = replace(whole, cells=whole.cells + other, ranking=replace(whole.ranking, rows=rows))
    text = markdown.render(comparison)
    assert "| 1.3 [1.0,2.0] | depth | minilm |" in text
    assert "|  | depth | bert |" in text


def test_no_name_breaks_a_markdown_table_or_becomes_markup(hostile: tuple[str, Comparison]) -> None:
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown.render(hostile[1]))
    inside = [part.type for token in tokens for part in token.children or ()]
    assert set(inside) <= {"text", "text_special"}
    kinds = Counter(token.type for token in tokens)
    # The suite, the ranking and its test, the verdicts, three tasks with their classes, and the notes.
    assert kinds["heading_open"] == 11
    assert kinds["table_open"] == 4
    assert kinds["bullet_list_open"] == 2
    assert kinds["list_item_open"] == 1 + len(hostile[1].verdicts)
    assert not {"html_block", "fence", "code_block", "blockquote_open", "ordered_list_open"} & set(kinds)
    assert kinds["td_open"] == 7 * 5 + 3 * 7 * 16


def test_no_name_becomes_what_github_adds(hostile: tuple[str, Comparison]) -> None:
    text = markdown.render(hostile[1])
    assert not re.search(
        r"(?<!\\)://|(?<!\\)@|www\.|(?<!\\):\w+:", text
    )  # links, mentions and emoji of plain text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("# a", "\\# a"),
        ("- a", "\\- a"),
        ("+ a", "\\+ a"),
        ("1. a", "1\\. a"),
        ("a-b 1.5", "a-b 1.5"),
        ("<b>", "&lt;b\\>"),
    ],
)
def test_markdown_escapes_what_begins_a_block(text: str, escaped: str) -> None:
    assert markdown.escape(text) == escaped


def test_a_report_is_five_files(tmp_path: Path, holed: Comparison) -> None:
    paths = write_report(tmp_path, holed)
    names = ["table.json", "table.md", "table.csv", "table.tex", "report.html"]
    assert [path.name for path in paths] == names
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert json.loads((tmp_path / "table.json").read_text())["suite"] == "quickstart"


def test_a_report_is_written_whatever_the_names(tmp_path: Path, hostile: tuple[str, Comparison]) -> None:
    assert len(write_report(tmp_path, hostile[1])) == 5


def test_a_comparison_that_cannot_be_shown_leaves_the_old_tables(tmp_path: Path, holed: Comparison) -> None:
    write_report(tmp_path, holed)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_report(tmp_path, replace(holed, cells=(replace(holed.cells[0], gap=math.inf),)))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_that_is_a_file_is_a_storage_error(tmp_path: Path, holed: Comparison) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(StorageError):
        write_report(tmp_path / "run", holed)
