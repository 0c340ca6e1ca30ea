"""What a plan could find, as a person reads it."""

from __future__ import annotations

import math

from harness.judge.detectable import Detectable
from harness.report.detectable import describe_detectable, tell_detectable
from harness.report.layout import measure

SHARE = Detectable(
    task="reviews",
    metric="accuracy",
    points=True,
    basis="assumed",
    folds=5,
    repeats=1,
    difference=0.018,
    with_more=0.0144,
    sd=0.01,
    discordance=0.1,
    effective=9000.0,
)
ERROR = Detectable(
    task="scores", metric="rmse", points=False, basis="pilot", folds=10, repeats=1, difference=0.25, sd=0.2
)
UNKNOWN = Detectable(task="ages", metric="rmse", points=False, basis="unknown", folds=5, repeats=1)


def test_shares_are_told_in_points_and_other_metrics_in_their_own_unit() -> None:
    assert tell_detectable([SHARE, ERROR, UNKNOWN], 200) == [
        " smallest difference you can detect: reviews 1.8 points · scores 0.25 rmse",
        " (80 % power, 5 % two-sided; assumed discordance .10; scores: from the fold differences of this run's arms)",
        " consider more folds; with 10: reviews 1.4 points",
        " smallest difference you can detect on ages: rmse on these folds needs a pilot, a few trials of two arms, "
        "to tell",
    ]


def test_a_difference_that_no_metric_holds_is_none() -> None:
    lost = Detectable(
        task="few",
        metric="auc",
        points=True,
        basis="assumed",
        folds=2,
        repeats=1,
        difference=math.inf,
        discordance=0.125,
    )
    lines = tell_detectable([lost], 200)
    assert lines == [
        " smallest difference you can detect: few none, too few examples",
        " (80 % power, 5 % two-sided; assumed discordance .125)",
    ]
    assert describe_detectable(lost)["difference"] is None


def test_no_line_is_wider_than_the_terminal() -> None:
    for width in (40, 80):
        assert all(measure(line) <= width for line in tell_detectable([SHARE, ERROR, UNKNOWN], width))


def test_a_name_cannot_move_the_cursor() -> None:
    odd = Detectable(task="\x1b[2J", metric="\x9b", points=False, basis="unknown", folds=5, repeats=1)
    assert all(line.isprintable() for line in tell_detectable([odd], 80))
