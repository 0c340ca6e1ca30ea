"""Anybody's table in a terminal of any width."""

from __future__ import annotations

import unicodedata

import pytest

from harness.judge.comparison import Ranking, RankRow
from harness.judge.standings import rank_scores
from harness.report import standings
from harness.report.layout import measure
from tests.report.conftest import HOSTILE

X = {
    "one": [0.85, 0.83, 0.80, 0.78],
    "two": [0.90, 0.91, 0.86, 0.85],
    "three": [0.70, 0.68, 0.69, 0.60],
    "four": [0.95, 0.94, 0.94, 0.90],
    "five": [0.60, 0.62, 0.55, 0.50],
    "six": [0.77, 0.75, 0.76, 0.70],
}
AT_80 = """\
 Mean rank over 6 data sets; 95 % intervals
 rank           method  tier  first in  won, tied, lost  strength
 1.3 [1.0,1.7]  a       A     .91       16, 0, 2         1.48
 2.1 [1.4,2.8]  b       A     .09       11, 1, 6         0.57
 2.6 [2.2,2.9]  c       B     .00       8, 1, 9          -0.01
 4.0 [4.0,4.0]  d       C     .00       0, 0, 18         -2.04
 Across 6 data sets the methods differ (Friedman 13.88, p = 0.003;
   Iman-Davenport F 16.85, p < 0.001). By Nemenyi, mean ranks 1.91 or more
   apart: a from d; b from d.
 No test of single pairs: with 6 data sets none of 6 could be significant
   (Wilcoxon, exact, after Holm p = 0.19 at best); 8 would do.
"""
AT_40 = """\
 Mean rank over 6 data sets; 95 %
   intervals
 rank           method
 1.3 [1.0,1.7]  a
   tier A · first in .91
   won, tied, lost 16, 0, 2
   strength 1.48
 2.1 [1.4,2.8]  b
"""


def rank(names: str | list[str] = "abcd") -> Ranking:
    return rank_scores({data: dict(zip(names, row, strict=True)) for data, row in X.items()})


def test_at_80_columns_each_method_is_one_line() -> None:
    assert standings.render(rank(), width=80) == AT_80


def test_at_40_columns_each_method_is_some_lines() -> None:
    assert standings.render(rank(), width=40).startswith(AT_40)


@pytest.mark.parametrize("width", [30, 40, 60, 80, 120])
def test_no_line_is_too_wide(width: int) -> None:
    for ranking in (rank(), rank(["a" * 60, "b" * 60, "c" * 60, "d"])):
        text = standings.render(ranking, width=width)
        table = text[: text.index(" Across 6")]
        assert all(measure(line) <= max(width, 40) for line in table.splitlines())


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_no_name_moves_the_cursor(name: str) -> None:
    for width in (40, 80):
        text = standings.render(rank([name, "b", "c", "d"]), width=width)
        odd = {letter for letter in text if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
        assert odd == {"\n"}


def test_what_is_not_known_has_no_column() -> None:
    rows = (RankRow(arm="a", mean_rank=1.25, low=1.0, high=1.5), RankRow(arm="b\x1b[2J", mean_rank=1.75))
    text = standings.render(Ranking(rows=rows, blocks=8, notes=("Ranked over 8 of 9.",)))
    assert text == (
        " Mean rank over 8 data sets; 95 % intervals\n"
        " rank           method\n"
        " 1.2 [1.0,1.5]  a\n"
        " 1.8            b\\x1b[2J\n"
        " Ranked over 8 of 9.\n"
    )
