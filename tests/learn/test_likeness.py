"""Texts that are nearly those of others."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from harness.examples import Input, Media, build_examples
from harness.learn import likeness
from harness.learn.likeness import describe_likeness, find_alike


def spell(number: int) -> str:
    """Return a word of its own for each number, of letters alone."""
    return "".join(chr(97 + int(digit)) for digit in f"{number:05}")


def alike(*texts: Input, groups: list[int] | None = None) -> list[list[int]]:
    return find_alike(texts, np.array(groups or range(len(texts)))).tolist()


@pytest.mark.parametrize(
    "other",
    [
        "WHAT a day, at the  sea",
        "what a day at the sea!!! 24/7",
        "@ann what a day at the sea https://example.org/a?b=1",
        "\n«what» a day … at the sea",
    ],
)
def test_case_blanks_punctuation_digits_links_and_names_make_no_other_text(other: str) -> None:
    assert alike("what a day at the sea", "nothing like it here", other) == [[0, 2]]


@pytest.mark.parametrize(
    "other", ["what a day at the lake", "what a day at the sea 😀", "sea the at day a what"]
)
def test_another_word_a_smiley_or_another_order_makes_another_text(other: str) -> None:
    assert alike("what a day at the sea", other) == []


def test_nine_of_ten_triples_make_texts_alike() -> None:
    words = [spell(number) for number in range(62)]  # 60 triples; a word in the middle is in three of them
    one_other, two_others = list(words), list(words)
    one_other[20] = two_others[20] = "other"
    two_others[40] = "another"
    assert alike(" ".join(words), " ".join(one_other)) == [[0, 1]]  # 57 of 63 triples
    assert alike(" ".join(words), " ".join(two_others)) == []  # 54 of 66


def test_texts_that_begin_alike_and_go_on_for_longer_are_others() -> None:
    words = [spell(number) for number in range(300)]
    assert alike(" ".join(words[:150]), " ".join(words)) == []
    assert alike(" ".join(words[:290]), " ".join(words)) == [[0, 1]]


def test_rows_of_one_group_are_not_named() -> None:
    texts = ["good day", "Good day!", "GOOD DAY", "bad day"]
    assert alike(*texts, groups=[0, 0, 0, 1]) == []
    assert alike(*texts, groups=[0, 0, 1, 2]) == [[0, 2], [1, 2]]


def test_pairs_of_texts_are_compared_whole() -> None:
    assert alike(("a b", "c d"), ("A b!", "c d"), ("a b", "c e")) == [[0, 1]]


def test_texts_without_words_are_like_none() -> None:
    assert alike("...", "!!!", "12") == []
    assert alike("...") == []


def test_a_person_is_told_how_many_and_two_of_them() -> None:
    examples = build_examples(
        inputs=["good day", "Good day!", "bad", "GOOD DAY"], targets=["p", "p", "n", "p"], ids=list("abcd")
    )
    assert describe_likeness(examples) == (
        "3 examples have nearly the text of another that may be in another fold, such as a and b: give those that "
        "belong together one `group`",
    )
    assert describe_likeness(replace(examples, groups=("g",) * 4)) == ()


def test_of_pictures_nothing_is_said() -> None:
    pictures = [Media(data=b"one", name="1"), Media(data=b"two", name="2")]
    assert describe_likeness(build_examples(inputs=pictures, targets=["a", "b"])) == ()


def test_of_many_texts_a_part_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness, "MOST_TEXTS", 3)
    texts = ["good day", "a", "Good day!", "b", "GOOD day"]
    examples = build_examples(inputs=texts, targets=list("pnpnp"), ids=list("abcde"))
    assert "3 examples of the 3 looked at" in describe_likeness(examples)[0]


def test_four_thousand_tweets_take_a_second_even_if_all_are_alike() -> None:
    draw = np.random.default_rng(0)
    words = [spell(number) for number in range(3000)]
    tweets = [" ".join(draw.choice(words, 15)) for _ in range(4000)]
    templates = [f"@user{row} your parcel {row} is here" for row in range(4000)]
    for texts, found in ((tweets, 0), (templates, 4000)):
        begin = time.process_time()
        pairs = find_alike(texts, np.arange(4000))
        assert time.process_time() - begin < 1
        assert len(np.unique(pairs)) == found
