"""Mean ranks of the methods of anybody's table."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import SpecError
from harness.judge.standings import rank_scores

SIX = {
    "a": [0.85, 0.83, 0.80, 0.78],
    "b": [0.90, 0.91, 0.86, 0.85],
    "c": [0.70, 0.68, 0.69, 0.60],
    "d": [0.95, 0.94, 0.94, 0.90],
    "e": [0.60, 0.62, 0.55, 0.50],
    "f": [0.77, 0.75, 0.76, 0.70],
}


def test_anybodys_table_gets_mean_ranks_with_an_interval_from_six_data_sets_on() -> None:
    ranking = rank_scores({name: dict(zip("wxyz", row, strict=True)) for name, row in SIX.items()})
    assert [row.mean_rank for row in ranking.rows] == pytest.approx([8 / 6, 12.5 / 6, 15.5 / 6, 4.0])
    assert ranking.rows[0].low is not None
    assert ranking.notes == ()


def test_lower_may_be_better() -> None:
    ranking = rank_scores({"a": {"x": 1.0, "y": 2.0}}, lower_is_better=True)
    assert [row.arm for row in ranking.rows] == ["x", "y"]


def test_a_csv_table_is_ranked_without_the_data_sets_that_lack_a_score(tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    file.write_bytes(b"\xef\xbb\xbfdata,x,y\r\none, .5 ,.7\r\ntwo,.4,\r\n\r\nthree,.3,.3\r\nfour,nan,1\r\n")
    ranking = rank_scores(file)
    assert ranking.blocks == 2
    assert {row.arm: row.mean_rank for row in ranking.rows} == {"y": 1.25, "x": 1.75}
    assert "two lacks y; four lacks x" in ranking.notes[0]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", ["scores.csv: is empty"]),
        (b"d,x,y\n", ["scores.csv: has a header and no line below it"]),
        (b"d,x\na,1\n", ["scores.csv:1:1: needs a column of data sets and at least two methods"]),
        (b"d;x;y\na;1;2\n", ["it looks separated by ';'"]),
        (
            b"d,x,y\na,1,two\nb,inf,1\n",
            ["scores.csv:2:3: 'two' in column 3", "scores.csv:3:2: 'inf' in column 2"],
        ),
        (b"d,x,y\na,1\n", ["scores.csv:2:1: has 2 cells where the header has 3"]),
        (b"d,x,x\na,1,2\n", ["names the method 'x' twice"]),
        (b"d,x,y\na,1,2\na,1,2\n", ["names the data set 'a' twice"]),
        (b"d,x,y\n\xff,1,2\n", ["is not UTF-8 (byte 6)"]),
    ],
)
def test_a_table_that_cannot_be_read_names_every_fault(
    tmp_path: Path, content: bytes, told: list[str]
) -> None:
    file = tmp_path / "scores.csv"
    file.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        rank_scores(file)
    for part in told:
        assert part in str(caught.value)


def test_a_table_that_is_not_there_is_an_error_for_people(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read"):
        rank_scores(tmp_path / "none.csv")
