"""Which cell wins a task."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.errors import SpecError
from harness.judge.comparison import Comparison
from harness.judge.winner import choose_cell
from tests.judge.made_up import compare_made_up, compare_with_a_hole


def reverse(comparison: Comparison) -> Comparison:
    """Return a comparison whose metrics are errors."""
    tasks = tuple(replace(task, higher_is_better=False) for task in comparison.tasks)
    return replace(comparison, tasks=tasks)


@pytest.mark.parametrize(("task", "arm"), [("reviews", "depth"), ("intents", "full")])
def test_the_best_arm_wins_its_task(task: str, arm: str) -> None:
    assert choose_cell(compare_made_up(), task, None).arm == arm


def test_the_least_error_wins_and_no_baseline_does() -> None:
    assert choose_cell(reverse(compare_made_up()), "reviews", None).arm == "head-only"


def test_an_arm_that_is_named_wins() -> None:
    assert choose_cell(compare_made_up(), "reviews", "head-only").arm == "head-only"


@pytest.mark.parametrize(
    ("task", "arm", "said"),
    [
        ("review", None, r"no task 'review'\. Did you mean 'reviews'\?"),
        ("reviews", "probe", r"no arm 'probe'\..* It has depth, full, head-only\."),
        ("intents", "full", "intents: no arm has a complete trial yet"),
    ],
)
def test_what_the_run_does_not_have_is_said(task: str, arm: str | None, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        choose_cell(compare_with_a_hole(), task, arm)
