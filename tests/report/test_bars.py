"""The bars of searched values: how long, where, and only where something was weighed."""

from __future__ import annotations

from dataclasses import replace

from harness.importance import add_importances
from harness.judge.comparison import Comparison
from harness.record.importance import Importance
from harness.report import html
from harness.report.bars import LEFT, RIGHT, draw_importance
from harness.report.blocks import list_blocks
from harness.report.drawing import style_arms
from tests.judge import made_up

SHARES = Importance(trials=12, shares=(("head_lr", 0.75), ("dropout", 0.25)), key="")


def weigh(comparison: Comparison, importance: Importance = SHARES) -> Comparison:
    """Return the comparison, depth on its first task weighed."""
    cell = next(cell for cell in comparison.cells if cell.arm == "depth")
    plan = made_up.make_plan(made_up.make_spec())
    return add_importances(comparison, plan, {cell.study: importance})


def test_a_bar_is_as_long_as_its_share(whole: Comparison) -> None:
    comparison = weigh(whole)
    drawing = draw_importance(list_blocks(comparison)[0], style_arms(comparison))
    assert drawing is not None
    bars = [line.path for line in drawing.lines if line.kind == "bar"]
    ends = [float(path.split("H")[1]) for path in bars]
    assert ends == [LEFT + 0.75 * (RIGHT - LEFT), LEFT + 0.25 * (RIGHT - LEFT)]
    assert [label.text for label in drawing.labels if label.kind == "value"] == [".75", ".25"]
    assert drawing.words == "depth: head_lr .75, dropout .25"


def test_what_was_not_weighed_is_not_drawn(whole: Comparison) -> None:
    styles = style_arms(whole)
    assert [draw_importance(block, styles) for block in list_blocks(whole)] == [None] * 3
    nothing = weigh(whole, replace(SHARES, shares=()))
    assert draw_importance(list_blocks(nothing)[0], styles) is None


def test_the_page_tells_of_importance_only_where_an_arm_was_weighed(whole: Comparison) -> None:
    assert "Importance" not in html.render(whole)
    page = html.render(weigh(whole))
    search = page.partition('<section id="search">')[2].partition("</section>")[0]
    assert search.count("<h3>Importance</h3>") == page.count("Importance") == 1
    assert "depth · 12 trials" in search
    assert page.count('href="#search"') == 1  # though it has no curves of the search


def test_a_value_cannot_become_markup(whole: Comparison) -> None:
    odd = Importance(trials=12, shares=(("<b>x</b>", 1.0),), key="")
    assert "<b>x</b>" not in html.render(weigh(whole, odd))
