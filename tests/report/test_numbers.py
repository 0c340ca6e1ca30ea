"""How numbers look."""

from __future__ import annotations

import math

import pytest

from harness.report import numbers
from harness.report.layout import measure, sanitise, shorten, wrap

SHARE, MCC, LOSS = (0.0, 1.0), (-1.0, 1.0), (0.0, math.inf)


@pytest.mark.parametrize(
    ("value", "bounds", "shown"),
    [
        (0.724, SHARE, ".724"),
        (1.0, SHARE, "1.000"),
        (0.0, SHARE, ".000"),
        (-0.1234, MCC, "-.123"),
        (-0.0001, MCC, ".000"),
        (0.9996, SHARE, "1.000"),
        (0.6931, LOSS, "0.693"),
        (12.345, LOSS, "12.3"),
        (1234.5, LOSS, "1234"),
        (0.001234, LOSS, "0.00123"),
        (3.2e12, LOSS, "3.20e+12"),
        (0.0, LOSS, "0.00"),
        (None, SHARE, "–"),
        (math.nan, SHARE, "–"),
        (math.inf, LOSS, "–"),
    ],
)
def test_a_score_has_three_digits(value: float | None, bounds: tuple[float, float], shown: str) -> None:
    assert numbers.show_score(value, bounds) == shown


def test_an_interval_has_two_digits_of_a_share_and_one_scale_otherwise() -> None:
    assert numbers.show_interval(0.691, 0.758, SHARE) == "[.69,.76]"
    assert numbers.show_interval(0.99, 1.0, SHARE) == "[.99,1.00]"
    assert numbers.show_interval(9.876, 12.345, LOSS) == "[9.9,12.3]"
    assert numbers.show_interval(None, None, LOSS) == ""
    assert numbers.show_estimate(None, None, None, SHARE) == "missing"
    assert numbers.show_estimate(0.5, None, None, SHARE) == ".500"


def test_seconds_and_counts_are_short() -> None:
    assert [numbers.show_seconds(value) for value in (0.042, 0.94, 9.94, 340.4, None)] == [
        *("0.04", "0.9", "9.9", "340", "–"),
    ]
    assert [numbers.show_count(value) for value in (12, 1155, 22_700_000, 999_999, 3_000_000_000, None)] == [
        *("12", "1.16 k", "22.7 M", "1000 k", "3 G", "–"),
    ]


def test_a_rank_has_its_interval_where_there_is_one() -> None:
    assert numbers.show_rank(1.25, 1.0, 2.04) == "1.2 [1.0,2.0]"
    assert numbers.show_rank(2.0) == "2.0"
    assert numbers.show_rank(None) == "–"


def test_a_probability_in_a_table_has_three_digits() -> None:
    assert [numbers.show_p(p) for p in (0.0009, 0.001, 0.25, 1.0, None)] == [
        *("<.001", ".001", ".250", "1.000", "–"),
    ]


def test_a_metric_points_to_its_better_side_and_nouns_are_counted() -> None:
    assert numbers.show_metric("auc", higher_is_better=True) == "auc ↑"
    assert numbers.show_metric("mae", higher_is_better=False) == "mae ↓"
    assert [numbers.count_noun(number, "fold") for number in (0, 1, 3)] == ["0 folds", "1 fold", "3 folds"]


def test_wide_letters_take_two_columns_and_marks_none() -> None:
    assert measure("日本") == 4
    assert measure("e\u0301") == 1
    assert measure(shorten("日" * 20, 9)) <= 9
    assert shorten("short", 9) == "short"


def test_text_is_wrapped_at_words_and_never_loses_one() -> None:
    text = "one two three fourteen"
    assert wrap(text, 10) == [" one two", "   three", "   fourteen"]
    assert wrap("one two · three four five", 12, between=" · ") == [" one two", " three four", "   five"]


def test_what_cannot_be_seen_is_spelled_out() -> None:
    assert sanitise("a\x1b[0m\u202eb\n\U000e0001é") == "a\\x1b[0m\\u202eb \\U000e0001é"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 s"),
        (0.2, "1 s"),
        (40, "40 s"),
        (700, "12 min"),
        (18_600, "5 h 10 min"),
        (360_001, "100 h"),
    ],
)
def test_a_span_is_told_as_people_say_it(seconds: float, told: str) -> None:
    assert numbers.show_span(seconds) == told
