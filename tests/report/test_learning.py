"""Learning curves in every report: the figures of a made-up run, and names that attack."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from harness.judge.comparison import Comparison
from harness.judge.learning import CurvePoint, LearningCurve
from harness.report import html, markdown, terminal
from harness.report import json as table_json
from harness.report.blocks import list_blocks
from harness.report.drawing import style_arms
from harness.report.fractions import BOTTOM, TOP, draw_fractions
from harness.report.layout import measure, sanitise
from harness.report.learning import show_fraction
from tests.report.test_page import Reader

SHARES = {0.1: 0.7, 0.3: 0.9, 1.0: 1.0}  # of the whole score


def add_curves(comparison: Comparison) -> Comparison:
    """Return a comparison whose cells have a curve that ends at their raw score."""
    return replace(
        comparison,
        cells=tuple(
            cell if cell.raw_best is None else replace(cell, learning_curve=make_curve(cell.raw_best))
            for cell in comparison.cells
        ),
    )


def make_curve(last: float) -> LearningCurve:
    points = [
        CurvePoint(
            fraction=fraction,
            n_train=400 * fraction,
            score=last * share,
            low=last * share - 0.02,
            high=last * share + 0.02,
            train_score=None,
            fold_scores=(last * share,) * 3,
        )
        for fraction, share in SHARES.items()
    ]
    return LearningCurve(points=tuple(points), test_over_train=0.5)


@pytest.fixture(scope="module")
def curved(whole: Comparison) -> Comparison:
    return add_curves(whole)


def test_table_json_lists_the_points_of_a_cell(curved: Comparison, whole: Comparison) -> None:
    cell = next(each for each in json.loads(table_json.render(curved))["cells"] if each["arm"] == "depth")
    assert [point["fraction"] for point in cell["learning_curve"]] == [0.1, 0.3, 1.0]
    assert cell["learning_curve"][1] == {
        "fraction": 0.3,
        "n_train": 120.0,
        "score": pytest.approx(0.9 * cell["raw_best"]),
        "low": pytest.approx(0.9 * cell["raw_best"] - 0.02),
        "high": pytest.approx(0.9 * cell["raw_best"] + 0.02),
        "train_score": None,
    }
    assert {str(cell["learning_curve"]) for cell in json.loads(table_json.render(whole))["cells"]} == {"[]"}


def test_a_terminal_has_a_line_for_each_task(curved: Comparison, whole: Comparison) -> None:
    text = terminal.render(curved, width=80)
    assert " learning curve of reviews (10 %, 30 %, all) · depth .51 .65 .72" in text
    assert text.count("learning curve of") == 3
    assert "learning curve" not in terminal.render(whole, width=80)


def test_markdown_has_a_table_for_each_task(curved: Comparison) -> None:
    text = markdown.render(curved)
    assert text.count("| arm | 10 % | 30 % | all |") == text.count("\n### Learning curve\n") == 3
    assert "| depth | .506 [.49,.53] | .651 [.63,.67] | .723 [.70,.74] |" in text
    assert "| majority | .30" in text


def test_a_fraction_that_a_cell_lacks_is_shown_as_missing(curved: Comparison) -> None:
    cells = tuple(
        replace(cell, learning_curve=replace(cell.learning_curve, points=cell.learning_curve.points[1:]))
        if cell.arm == "depth" and cell.learning_curve
        else cell
        for cell in curved.cells
    )
    comparison = replace(curved, cells=cells)
    assert "| depth | – | .651" in markdown.render(comparison)
    assert "depth – .65 .72" in terminal.render(comparison, width=80)
    assert html.render(comparison).count("with 10 %") < html.render(curved).count("with 10 %")


def test_a_page_draws_each_task_once_and_says_what_it_shows(curved: Comparison) -> None:
    read = Reader(html.render(curved))
    text = read.texts["learning"]
    for task in ("reviews", "tickets", "intents"):
        assert f"{task}: macro-f1 by share of training rows" in text
    assert "depth .506 [.49,.53] with 10 % (40 rows), .651 [.63,.67] with 30 % (120 rows)" in text
    assert "#learning" in {attributes.get("href") for attributes in read.all("a")}
    classes = [attributes.get("class") or "" for attributes in read.all("path")]
    assert sum(each.startswith("band f") for each in classes) == 9


def test_a_page_without_curves_has_no_such_section(whole: Comparison) -> None:
    page = html.render(whole)
    assert "learning" not in Reader(page).texts
    assert 'href="#learning"' not in page
    only_last = tuple(
        replace(cell, learning_curve=replace(make_curve(0.5), points=make_curve(0.5).points[2:]))
        for cell in whole.cells
    )
    assert "learning" not in Reader(html.render(replace(whole, cells=only_last))).texts


def test_no_name_adds_an_element_and_every_name_is_text(
    hostile: tuple[str, Comparison], harmless: Comparison
) -> None:
    name, comparison = hostile
    read = Reader(html.render(add_curves(comparison)))
    assert read.tags == Reader(html.render(add_curves(harmless))).tags
    assert sanitise(name) in read.texts["learning"]
    for line in terminal.render(add_curves(comparison), width=60).splitlines():
        assert line.isprintable()
    shown, plain = (markdown.render(add_curves(each)) for each in (comparison, harmless))
    assert re.sub(r"\\\||[^|\n]", "", shown) == re.sub(r"[^|\n]", "", plain)


def test_a_terminal_is_never_wider_than_told(endless: Comparison) -> None:
    for width in (40, 80):
        for line in terminal.render(add_curves(endless), width=width).splitlines():
            assert measure(line) <= width or " " not in line.strip()


def test_every_score_of_an_arm_lies_in_its_plot_and_its_bands_do_not_leave_it(curved: Comparison) -> None:
    wide = replace(
        curved,
        cells=tuple(
            replace(
                cell,
                learning_curve=replace(
                    cell.learning_curve,
                    points=tuple(replace(point, low=-9.0, high=9.0) for point in cell.learning_curve.points),
                ),
            )
            if cell.learning_curve
            else cell
            for cell in curved.cells
        ),
    )
    for comparison in (curved, wide):
        for block in list_blocks(comparison):
            drawing = draw_fractions(block, style_arms(comparison))
            assert drawing is not None
            assert len(drawing.marks) == 9
            assert {mark.x for mark in drawing.marks} == {54.0, 149.4, 254.0}  # by factors of the rows
            assert all(TOP <= mark.y <= BOTTOM for mark in drawing.marks)
            bands = [line.path for line in drawing.lines if line.kind == "band"]
            heights = [
                float(pair.split(",")[1]) for path in bands for pair in re.findall(r"[\d.-]+,[\d.-]+", path)
            ]
            assert len(heights) == 18
            assert all(TOP <= height <= BOTTOM for height in heights)


def test_fractions_are_shown_as_people_say_them() -> None:
    shown = [show_fraction(fraction) for fraction in (0.1, 0.3, 0.015, 1 / 3, 1.0)]
    assert shown == ["10 %", "30 %", "1.5 %", "33.3333 %", "all"]
