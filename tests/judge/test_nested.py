"""What the winners of the outer folds come to: on which side they stand, and what is said where one is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from harness.judge.comparison import Cell
from harness.judge.rank import compare_arms
from harness.plan import Plan
from harness.record.history import History, TrialRecord
from harness.record.incumbents import trace_incumbents
from harness.spec.models import Spec
from harness.spec.options import Nested, Protocol
from tests.judge import made_up

OUTER = 3


def make_suite() -> tuple[Spec, Plan]:
    spec = made_up.make_spec(tasks=("reviews",), metric="accuracy")
    spec = spec.model_copy(update={"protocol": Protocol(nested=Nested(outer=OUTER, inner=made_up.FOLDS))})
    return spec, made_up.make_plan(spec, metric="accuracy")


def judge(depths: Sequence[int] = (4, 4, 4), states: Sequence[str] = ("ok",) * OUTER) -> Cell:
    """Return the cell of `depth`, whose winners freeze these blocks, and whose outer fits ended so."""
    spec, plan = make_suite()
    trials = dict(made_up.fill_history(plan))
    for study in plan.studies:
        assert study.outer_fold is not None
        for key, record in list(trials.items()):
            if key[0] == study.id:
                depth = depths[study.outer_fold] if study.arm == "depth" else None
                state = states[study.outer_fold] if study.arm == "depth" else "ok"
                trials[key] = add_test(record, study.outer_fold, depth, state)
    comparison = compare_arms(plan, History(trials=trials), spec, read=made_up.read)
    return next(cell for cell in comparison.cells if cell.arm == "depth")


def add_test(record: TrialRecord, outer_fold: int, depth: int | None, state: str) -> TrialRecord:
    """Return a trial that was scored on an outer fold; it is the second trial, the best one, alone that was."""
    candidate = record.candidate
    if depth is not None and candidate is not None:
        candidate = replace(candidate, freeze_depth=depth)
    if record.trial != 1 and candidate is not None:
        return replace(record, candidate=candidate)
    fold = replace(
        record.folds[0],
        fold=made_up.FOLDS + outer_fold,  # of its own rows, and of its own predictions
        state=state,
        error=None if state == "ok" else "no memory left",
    )
    return replace(record, candidate=candidate, test=fold)


@pytest.mark.parametrize(
    ("depths", "side"),
    [((4, 0, 2), "tuned"), ((6, 6, 6), "frozen"), ((0, 6, 6), "neither"), ((0, 0, 6), "neither")],
)
def test_winners_that_train_blocks_in_some_outer_folds_alone_take_no_side(
    depths: tuple[int, ...], side: str
) -> None:
    cell = judge(depths)
    assert cell.score is not None
    sides = {"tuned": cell.tuned, "frozen": cell.frozen}
    assert [name for name, bags in sides.items() if bags is not None] == [side] * (side != "neither")
    assert f"freeze {', '.join(map(str, depths))} blocks" in cell.note


def test_an_outer_fit_that_failed_says_why() -> None:
    cell = judge(states=("oom", "ok", "ok"))
    assert cell.score is None
    assert cell.note == "2 of 3 outer folds are scored: no memory left"


def test_a_nested_arm_has_no_one_curve() -> None:
    _, plan = make_suite()
    history = History(trials=made_up.fill_history(plan))
    assert trace_incumbents(plan, history).curves == {}
