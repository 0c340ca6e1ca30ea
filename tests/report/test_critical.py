"""The critical-difference diagram: who stands where, and which bars lie over whom."""

from __future__ import annotations

import re

import numpy as np
import pytest

from harness.judge.comparison import Comparison
from harness.judge.ranking_test import examine_ranks
from harness.report import html, markdown
from harness.report.critical import LEFT, RIGHT, draw_critical_difference
from harness.report.drawing import WIDTH
from tests.judge import made_up_tasks
from tests.report.test_page import Reader

X = np.array(
    [
        [0.85, 0.83, 0.80, 0.78],
        [0.90, 0.91, 0.86, 0.85],
        [0.70, 0.68, 0.69, 0.60],
        [0.95, 0.94, 0.94, 0.90],
        [0.60, 0.62, 0.55, 0.50],
        [0.77, 0.75, 0.76, 0.70],
    ]
)
TEST = examine_ranks(X, "abcd", words=("task", "arm"))


def place(rank: float) -> float:
    """Return where a mean rank of one to four lies."""
    return round(LEFT + (rank - 1) / 3 * (RIGHT - LEFT), 1)


def test_every_method_stands_at_its_mean_rank_with_its_name_and_figure() -> None:
    drawing = draw_critical_difference(TEST, {})
    assert [mark.x for mark in drawing.marks] == [place(rank) for rank in (8 / 6, 12.5 / 6, 15.5 / 6, 4)]
    assert [mark.hint for mark in drawing.marks] == [
        *("a: mean rank 1.33", "b: mean rank 2.08", "c: mean rank 2.58", "d: mean rank 4.00"),
    ]
    assert [label.text for label in drawing.labels if label.kind == "name"] == list("abcd")
    assert [label.text for label in drawing.labels if label.kind == "value"] == [
        *("1.91", "1.33", "2.08", "2.58", "4.00"),
    ]
    assert drawing.words == (
        "a 1.33, b 2.08, c 2.58, d 4.00; critical difference 1.91; not told apart: a, b, c; not told apart: c, d"
    )


def test_a_bar_lies_over_each_clique_and_the_ruler_is_as_long_as_the_difference() -> None:
    drawing = draw_critical_difference(TEST, {})
    bars = [
        re.fullmatch(r"M([\d.]+),([\d.]+)H([\d.]+)", line.path)
        for line in drawing.lines
        if line.kind == "clique"
    ]
    ends = [(float(bar[1]) + 3, float(bar[3]) - 3) for bar in bars if bar]
    assert ends == [
        (pytest.approx(place(8 / 6)), pytest.approx(place(15.5 / 6))),
        (pytest.approx(place(15.5 / 6)), pytest.approx(place(4))),
    ]
    assert len({bar[2] for bar in bars if bar}) == 2  # each in a lane of its own
    ruler = drawing.lines[0].path
    assert ruler == f"M{LEFT:g},12H{place(1 + TEST.cd):g}"


@pytest.mark.parametrize("methods", [2, 3, 8, 20])
def test_nothing_leaves_the_drawing(methods: int) -> None:
    scores = np.random.default_rng(methods).random((12, methods)) + np.arange(methods) / 8
    test = examine_ranks(
        scores, [f"a-long-name-of-{place}" for place in range(methods)], words=("task", "arm")
    )
    drawing = draw_critical_difference(test, {})
    for mark in drawing.marks:
        assert 0 <= mark.x <= WIDTH
        assert 0 <= mark.y <= drawing.height
    for line in drawing.lines:
        assert all(
            0 <= float(number) <= max(WIDTH, drawing.height) for number in re.findall(r"[\d.]+", line.path)
        )


@pytest.fixture(scope="module")
def many() -> Comparison:
    return made_up_tasks.compare_many(12)


def test_a_page_of_many_tasks_has_the_diagram_and_the_sentence(many: Comparison) -> None:
    read = Reader(html.render(many))
    assert "Critical difference" in read.texts["ranking"]
    assert "Across 12 tasks the arms differ (Friedman 33.30, p < 0.001" in " ".join(
        read.texts["ranking"].split()
    )
    plots = [svg for svg in read.all("svg") if svg.get("role") == "img"]
    assert len(plots) == len(read.all("desc")) == len(read.all("figcaption"))
    assert "## Ranking" in markdown.render(many)
    assert "Across 12 tasks the arms differ" in markdown.render(many)


def test_a_page_of_few_tasks_has_a_sentence_and_no_diagram(whole: Comparison) -> None:
    text = Reader(html.render(whole)).texts["ranking"]
    assert "No test across tasks: with 3 tasks and 3 arms one task that disagrees" in text
    assert "Critical difference" not in text
