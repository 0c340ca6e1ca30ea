"""The control: which study it is, and whose ranges it is searched over."""

from __future__ import annotations

import pytest

from harness.candidate import build_candidate
from harness.control import make_scratch
from harness.plan import Plan, Study
from harness.spec.models import Baseline
from harness.spec.options import ArmOptions, Confirm, EarlyStopping, Nested, Protocol
from harness.spec.ranges import Choice, Span
from tests.judge.made_up import make_plan, make_spec

WIDE, NARROW = Span("log", 1e-5, 1e-2), Span("log", 1e-5, 1e-4)


def plan_with(arms: dict[str, ArmOptions], **changes: object) -> Plan:
    names: tuple[Baseline, ...] = ("majority", "scratch")
    return make_plan(
        make_spec(tasks=("reviews",)).model_copy(update={"baselines": names, "arms": arms} | changes)
    )


def pick(plan: Plan, arm: str) -> Study:
    return next(study for study in plan.studies if study.arm == arm)


def test_scratch_takes_the_ranges_of_the_arm_that_trains_the_most_and_trains_all() -> None:
    arms = {
        "head-only": ArmOptions(freeze_depth="all", backbone_lr=1e-7),
        "deep": ArmOptions(freeze_depth=Span("int", 1, "all"), backbone_lr=1e-6),
        "first": ArmOptions(freeze_depth=Choice((0, 3)), backbone_lr=WIDE, early_stopping=EarlyStopping()),
        "second": ArmOptions(freeze_depth=0, backbone_lr=NARROW),
    }
    scratch = make_scratch(arms, blocks=6)
    assert (scratch.freeze_depth, scratch.batch_norm) == (0, "trained")
    assert (scratch.backbone_lr, scratch.early_stopping) == (WIDE, EarlyStopping())


def test_a_depth_that_half_the_blocks_make_nothing_trains_as_much_as_depth_0() -> None:
    arms = {"half": ArmOptions(freeze_depth="half", epochs=7), "full": ArmOptions(freeze_depth=0)}
    assert make_scratch(arms, blocks=1).epochs == 7
    assert make_scratch(arms, blocks=4).epochs == 3


def test_scratch_is_a_study_with_the_budget_of_an_arm() -> None:
    protocol = Protocol(folds=3, test=0.2, confirm=Confirm(top=2, repeats=1))
    plan = plan_with({"full": ArmOptions(backbone_lr=WIDE)}, protocol=protocol)
    assert [(study.arm, study.kind) for study in plan.studies] == [
        ("majority", "baseline"),
        ("scratch", "control"),
        ("full", "arm"),
    ]
    scratch, full = pick(plan, "scratch"), pick(plan, "full")
    assert (scratch.trials, scratch.fits, scratch.confirm, scratch.locked) == (
        *(full.trials, full.fits, full.confirm, full.locked),
    )
    assert scratch.id != full.id
    assert scratch.space is not None
    assert build_candidate(scratch.space, {"backbone_lr": 1e-3}).freeze_depth == 0


def test_only_the_arm_whose_ranges_it_takes_changes_what_scratch_is() -> None:
    arms = {"full": ArmOptions(backbone_lr=WIDE), "head-only": ArmOptions(freeze_depth="all")}
    found = pick(plan_with(arms), "scratch").id
    other = arms | {"head-only": ArmOptions(freeze_depth="all", epochs=9)}
    assert pick(plan_with(other), "scratch").id == found
    assert pick(plan_with({"renamed": arms["full"]}), "scratch").id == found
    assert pick(plan_with(arms | {"full": ArmOptions(backbone_lr=NARROW)}), "scratch").id != found


def test_a_nested_protocol_searches_it_once_for_each_outer_fold() -> None:
    plan = plan_with({"full": ArmOptions()}, protocol=Protocol(nested=Nested(outer=3, inner=2)))
    scratch = [study for study in plan.studies if study.arm == "scratch"]
    assert [(study.outer_fold, study.kind) for study in scratch] == [(fold, "control") for fold in range(3)]
    assert len({study.id for study in scratch}) == 3


@pytest.mark.parametrize(
    ("weights", "same"), [("none", True), ("balanced", False), (Choice(("none",)), False)]
)
def test_a_key_that_came_later_changes_no_study_of_before_at_its_default(weights: object, same: bool) -> None:
    """A golden value of the first version: finished runs must be recognised."""
    plan = make_plan(make_spec(tasks=("reviews",)))
    assert pick(plan, "full").id == "9e38392c87b2f0e2"
    spec = make_spec(tasks=("reviews",))
    arms = {"full": spec.arms["full"].model_copy(update={"class_weights": weights})}
    changed = make_plan(spec.model_copy(update={"arms": arms}))
    assert (pick(changed, "full").id == "9e38392c87b2f0e2") is same
