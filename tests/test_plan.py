"""What a plan makes of what the data say of their folds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.plan import (
    BackboneFacts,
    Plan,
    Study,
    Survey,
    TaskFacts,
    expand,
    protocol_of,
    relate_parts,
    settle_protocols,
)
from harness.spec.models import Spec, spec_model

WHOLE: dict[str, Any] = {
    "version": 1,
    "name": "plain",
    "tasks": {"t": {"type": "text-classification", "data": {"csv": "x.csv", "text": "a", "label": "b"}}},
    "backbones": {"b": {"model": "x"}},
    "arms": {"full": {}},
}


def read(*, task: dict[str, Any] | None = None, **keys: Any) -> Spec:
    whole = json.loads(json.dumps(WHOLE | keys))
    whole["tasks"]["t"] |= {"protocol": task} if task else {}
    return spec_model().model_validate_json(json.dumps(whole))


def plan(spec: Spec, **found: Any) -> Study:
    """Return the arm's study where the survey has found something of the folds."""
    return plan_all(spec, **found)[-1]


def plan_all(spec: Spec, **found: Any) -> tuple[Study, ...]:
    """Return all studies; every task has the same content."""
    return plan_of(spec, **found).studies


def plan_of(spec: Spec, **found: Any) -> Plan:
    """Return the plan of a spec whose tasks have the same content."""
    facts = TaskFacts(
        digest="d",
        modality="text",
        examples=60,
        groups=7,
        labels=("n", "y"),
        metric="accuracy",
        metrics=("accuracy",),
        higher_is_better=True,
        folds="f",
        **found,
    )
    backbones = {"b": BackboneFacts(digest="w", modality="text", blocks=2)}
    return expand(spec, Survey(tasks=dict.fromkeys(spec.tasks, facts), backbones=backbones))


def test_studies_have_as_many_folds_as_the_data_have_groups() -> None:
    study = plan(read(protocol={"scheme": "leave-one-group-out"}), fold_count=7, part_ratio=0.25)
    assert (study.folds, study.fits, study.test_over_train) == (7, 7 * study.trials, 0.25)


def test_like_folds_relate_as_one_to_all_others() -> None:
    assert plan(read(protocol={"folds": 4})).test_over_train == pytest.approx(1 / 3)
    assert relate_parts(5, None) == 0.25
    assert relate_parts(5, 0.5) == 0.5


def test_the_number_of_folds_of_other_tasks_is_no_part_of_what_groups_count() -> None:
    few, many = (
        plan(read(protocol={"folds": folds}, task={"scheme": "leave-one-group-out"}), fold_count=7)
        for folds in (3, 4)
    )
    assert few.id == many.id
    assert few.folds == 7


def test_a_gap_is_part_of_the_identity() -> None:
    ids = {plan(read(protocol={"scheme": "temporal", "gap": gap})).id for gap in (0, 1, 2)}
    assert len(ids) == 3


def test_what_is_dealt_out_as_ever_keeps_its_identity() -> None:
    assert plan(read()).id == plan(read(protocol={"scheme": "kfold", "gap": 0, "test": 0})).id
    assert plan(read()).id == "85aa6a96db809cf6"


def test_a_declared_test_is_locked_away() -> None:
    assert plan(read(protocol={"test": "split"})).locked
    assert not plan(read()).locked


def test_a_task_keeps_the_keys_of_the_suite_where_a_worker_reads_the_spec_again() -> None:
    spec = read(protocol={"folds": 3, "confirm": {"top": 2}}, task={"repeats": 2, "confirm": {"repeats": 1}})
    again = spec_model().model_validate_json(settle_protocols(spec).model_dump_json())
    assert protocol_of(again, "t") == protocol_of(spec, "t")
    assert (protocol_of(again, "t").folds, protocol_of(again, "t").repeats) == (3, 2)
    confirm = protocol_of(spec, "t").confirm
    assert confirm is not None
    assert (confirm.top, confirm.repeats) == (3, 1)


def test_after_a_search_that_two_tasks_share_comes_what_either_asks_for() -> None:
    task = WHOLE["tasks"]["t"]
    curve = task | {"protocol": {"fractions": [0.3, 1], "confirm": {"top": 2, "repeats": 3}}}
    again = task | {"protocol": {"fractions": [0.1], "confirm": {"top": 4, "repeats": 1}}}
    spec = read(tasks={"t": task, "curve": curve, "again": again}, baselines=[])
    plain, *others = plan_all(spec)
    assert {study.id for study in others} == {plain.id}
    assert {(study.task, study.fractions) for study in (plain, *others)} == {
        ("t", (0.1, 0.3)),
        ("curve", (0.1, 0.3)),
        ("again", (0.1, 0.3)),
    }
    assert plain.confirm is not None
    assert (plain.confirm.top, plain.confirm.repeats) == (4, 3)
