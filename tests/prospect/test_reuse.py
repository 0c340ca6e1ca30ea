"""Whatever is part of a cell's identity is named where it changes: no cell is new without a reason."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.plan import Plan, expand
from harness.prospect.reuse import Reuse, find_reuse
from harness.record.history import History
from harness.record.lock import Lock, write_lock
from harness.record.rows import Rows, compare_rows
from harness.spec.models import Spec
from harness.spec.options import ArmOptions, Protocol
from tests.test_plan import WHOLE, plan_of, read

OTHER: dict[str, object] = {
    "freeze_depth": 1,
    "batch_norm": "trained",
    "class_weights": "balanced",
    "schedule": "cosine",
    "early_stopping": {"patience": 2},
    "epochs": 7,
    "batch_size": 7,
}
OTHER_PROTOCOL: dict[str, object] = {
    "scheme": "leave-one-group-out",
    "stratify": False,
    "folds": 7,
    "repeats": 3,
    "test": 0.2,
    "nested": {"outer": 3, "inner": 2},
}
NO_PART = ("confirm", "fractions")


def relate(folder: Path, before: Spec, after: Spec, plan: Plan | None = None) -> Reuse:
    """Return what a plan takes over from a run that was planned on another spec and has not begun."""
    write_lock(folder, Lock(spec_json=before.model_dump_json(), base=folder, survey=plan_of(before).survey))
    reuse = find_reuse(folder, plan or plan_of(after), History(trials={}), after, {"t": EMPTY})
    assert reuse is not None
    return reuse


EMPTY = Rows(ids=(), contents=(), labels=())


@pytest.mark.parametrize("key", [key for key in ArmOptions.model_fields if key != "method"])
def test_every_key_of_an_arm_is_named_where_it_changes(tmp_path: Path, key: str) -> None:
    changed = read(arms={"full": {key: OTHER.get(key, 0.3)}})
    ((_, why),) = relate(tmp_path, read(), changed).new
    assert why[0].startswith(f"arms.full.{key}: ")
    assert len(why) == 1


@pytest.mark.parametrize("key", [key for key in Protocol.model_fields if key not in NO_PART])
def test_every_key_of_a_protocol_is_named_where_it_changes(tmp_path: Path, key: str) -> None:
    value = OTHER_PROTOCOL.get(key, 2.5)
    reuse = relate(tmp_path, read(), read(protocol={key: value}))
    assert reuse.new
    assert all(any(told.startswith(f"protocol.{key}: ") for told in why) for _, why in reuse.new)
    own = relate(tmp_path, read(), read(task={key: value}))
    assert all(any(told.startswith(f"tasks.t.protocol.{key}: ") for told in why) for _, why in own.new)


@pytest.mark.parametrize("key", NO_PART)
def test_what_only_adds_fits_makes_nothing_new(tmp_path: Path, key: str) -> None:
    value: object = {"top": 2} if key == "confirm" else [0.5]
    assert relate(tmp_path, read(), read(protocol={key: value})).new == ()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"seed": 5}, "seed: 0 → 5"),
        ({"compute": {"precision": "bfloat16"}}, "compute.precision: 'float32' → 'bfloat16'"),
        ({"backbones": {"b": {"model": "y", "stem": "frozen"}}}, "backbones.b.stem: nothing → 'frozen'"),
        ({"search": {"startup": 9}}, "search.startup: 5 → 9"),
    ],
)
def test_every_other_part_is_named_where_it_changes(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    assert {told for _, reasons in relate(tmp_path, read(), read(**change)).new for told in reasons} == {why}


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"labels": ("n", "y", "z")}, "tasks.t: its labels changed"),
        ({"folds": "g"}, "tasks.t: its folds changed"),
        ({"metric": "mcc"}, "tasks.t.metric: 'accuracy' → 'mcc'"),
        ({"digest": "e", "folds": "g", "labels": ("n",)}, "tasks.t: data changed (the run kept no rows"),
    ],
)
def test_what_was_surveyed_is_named_and_not_what_follows_from_it(
    tmp_path: Path, facts: dict[str, Any], why: str
) -> None:
    spec = read()
    survey = plan_of(spec).survey
    found = replace(survey, tasks={"t": replace(survey.tasks["t"], **facts)})
    reasons = {told for _, told in relate(tmp_path, spec, spec, expand(spec, found)).new}
    assert len(reasons) == 1
    assert next(iter(reasons))[0].startswith(why)


def test_a_control_is_new_where_the_arm_is_that_it_takes_its_ranges_from(tmp_path: Path) -> None:
    whole = {"baselines": ["scratch"]}
    reuse = relate(tmp_path, read(**whole), read(**whole, arms={"full": {"clip": 2.0}}))
    assert [why for _, why in reuse.new] == [
        ("baselines.scratch.clip: 1.0 → 2.0",),
        ("arms.full.clip: 1.0 → 2.0",),
    ]


def test_another_task_or_backbone_is_new_by_its_name(tmp_path: Path) -> None:
    more = json.loads(json.dumps(WHOLE["tasks"])) | {"u": WHOLE["tasks"]["t"] | {"metric": "mcc"}}
    added = read(tasks=more, arms={"full": {}}, baselines=[])
    facts = plan_of(added).survey
    other = replace(facts, tasks=facts.tasks | {"u": replace(facts.tasks["t"], metric="mcc")})
    reuse = relate(tmp_path, read(baselines=[]), added, expand(added, other))
    assert reuse.new == ((("u", "b", "full"), ("tasks.u is new",)),)


def test_rows_are_compared_by_id() -> None:
    before = Rows(ids=("a", "b", "c", "d"), contents=("1", "2", "3", "4"), labels=("x", "x", "y", "y"))
    now = Rows(ids=("e", "d", "c", "b"), contents=("5", "4", "9", "8"), labels=("x", "y", "y", "y"))
    changes = compare_rows(before, now)
    assert str(changes) == "1 row added, 1 removed, 2 changed (1 in the label), 1 unchanged"
