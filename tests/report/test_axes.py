"""Axes: where the grid, the feet, the names beside lines and the bands of a plot lie."""

from __future__ import annotations

from harness.report.axes import End, Foot, draw_band, draw_feet, draw_grid, label_beside
from harness.report.scale import Scale

SHARE = (0.0, 1.0)
Y = Scale(low=0, high=1, start=100, end=0)


def test_the_grid_has_a_line_and_a_score_at_each_round_value() -> None:
    lines, labels = draw_grid(Y, SHARE, 2, left=30, right=200)
    assert [line.path for line in lines] == ["M30,100H200", "M30,50H200", "M30,0H200"]
    assert [(label.x, label.y, label.text) for label in labels] == [
        *((24, 103.5, "0"), (24, 53.5, ".5"), (24, 3.5, "1.0")),
    ]


def test_a_foot_without_room_has_a_tick_alone_and_the_caption_stands_below_all() -> None:
    feet = [Foot(place=10, texts=("10 %", "24")), Foot(place=20)]
    lines, labels = draw_feet(feet, "training rows", bottom=100, left=0, right=30)
    assert [line.path for line in lines] == ["M10,100V104", "M20,100V104", "M0,100H30"]
    assert [(label.x, label.y, label.text) for label in labels] == [
        *((10, 117, "10 %"), (10, 131, "24"), (15, 148, "training rows")),
    ]


def test_names_stand_beside_their_ends_and_one_beyond_the_plot_has_its_score() -> None:
    ends = [
        End(name="first", score=0.5, drawn=True),
        End(name="second", score=0.5, drawn=True),
        End(name="below", score=-1.0, drawn=False),
        End(name="above", score=2.0, drawn=False),
        End(name="bends out", score=0.25, drawn=False),
    ]
    labels = label_beside(ends, Y, SHARE, right=200)
    assert [(label.x, label.y, label.text) for label in labels] == [
        (205, 3.5, "above 2.00 ↑"),
        (205, 53.5, "first"),
        (205, 65.5, "second"),
        (205, 78.5, "bends out .25"),
        (205, 103.5, "below -1.00 ↓"),
    ]


def test_a_band_is_cut_at_the_plots_ends_and_one_interval_alone_has_none() -> None:
    (line,) = draw_band([(10, -1.0, 0.5), (20, 0.25, 2.0)], Y, colour=3)
    assert (line.path, line.kind, line.colour) == ("M10,50L20,0L20,75L10,100z", "band", 3)
    assert draw_band([(10, 0.0, 1.0)], Y, colour=3) == []
