"""Two tasks of the same examples, mixed at random and grouped: what the difference means, in words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from harness import plugins
from harness.judge.comparison import Cell, ComparedTask, TrialCounts, Verdict
from harness.judge.evidence import Evidence, Measure
from harness.judge.leak import find_leaks, name_substance
from harness.plan import TaskFacts
from harness.spec.models import spec_model
from harness.spec.options import Nested, Protocol, TaskOptions

GROUPS = 20
SIZE = 10  # examples of a group
ROWS = GROUPS * SIZE
GROUP_OF = tuple(f"voice-{row // SIZE:02d}" for row in range(ROWS))
MIXED = ComparedTask(
    name="mixed",
    type="audio-classification",
    modality="audio",
    metric="accuracy",
    higher_is_better=True,
    bounds=(0.0, 1.0),
    folds=5,
    examples=ROWS,
    groups=None,
    substance="the same clips",
)
GROUPED = replace(MIXED, name="grouped", groups=GROUPS)


def measure(metric: str = "accuracy") -> Measure:
    return Measure(score=plugins.find("metrics", metric).score, target=plugins.find("targets", "classes"))


def make_cell(
    task: str, right: np.ndarray, *, arm: str = "head", score: float | None = None, confidence: float = 1.0
) -> Cell:
    """Return the cell of an arm whose best trial is right on the given rows."""
    targets = np.arange(ROWS) % 2
    decided = np.where(right, targets, 1 - targets)
    shares = np.eye(2)[decided] * confidence + (1 - confidence) / 2
    return Cell(
        study=f"{task}-{arm}",
        task=task,
        backbone="whisper",
        arm=arm,
        kind="arm",
        blocks=4,
        trials=TrialCounts(ok=1),
        score=float(right.mean()) if score is None else score,
        evidence=Evidence(
            ids=tuple(f"{row:03d}" for row in range(ROWS)),
            groups=GROUP_OF if task == "grouped" else None,
            targets=targets,
            weights=np.ones(ROWS),
            predictions=(shares,),
        ),
    )


def right_on(*shares: float) -> np.ndarray:
    """Return where a trial is right: on so many of each group's examples, the shares taking turns."""
    of_group = np.array([shares[group % len(shares)] for group in range(GROUPS)])
    return np.tile(np.arange(SIZE), GROUPS) < np.repeat(np.round(SIZE * of_group), SIZE)


def ask(*cells: Cell, tasks: Sequence[ComparedTask] = (MIXED, GROUPED), metric: str = "accuracy") -> Verdict:
    (verdict,) = find_leaks(cells, tasks, {task.name: measure(metric) for task in tasks})
    return verdict


def test_what_new_groups_take_away_is_said_with_its_interval() -> None:
    verdict = ask(make_cell("mixed", right_on(0.9)), make_cell("grouped", right_on(0.6)))
    assert (verdict.question, verdict.task, verdict.backbone) == ("does the split leak?", "mixed", "whisper")
    assert verdict.answer == "yes"
    # Every group loses three of its ten: any bag of groups gives the same difference.
    assert (verdict.difference, verdict.low, verdict.high) == pytest.approx((0.3, 0.3, 0.3))
    assert verdict.sentence == (
        "yes: the best trial of head scores a raw 0.900 accuracy on examples mixed at random and 0.600 with whole "
        "groups left out, 20 of them: +0.300 [+0.300, +0.300] comes of knowing the groups and is gone with new ones: "
        "report 'grouped'"
    )


def test_a_split_that_makes_no_difference_does_not_leak() -> None:
    verdict = ask(make_cell("mixed", right_on(0.8)), make_cell("grouped", right_on(0.8)))
    assert (verdict.answer, verdict.difference) == ("no", 0.0)
    assert "less than a point: what is learned holds for new groups" in verdict.sentence


def test_the_bags_draw_groups_so_that_a_few_of_them_prove_nothing() -> None:
    """One group of twenty falls from right to wrong: by examples ten of 200 would be beyond chance."""
    falls = np.ones(ROWS, dtype=bool)
    falls[:SIZE] = False
    verdict = ask(make_cell("mixed", np.ones(ROWS, dtype=bool)), make_cell("grouped", falls))
    assert verdict.answer == "cannot tell"
    assert verdict.difference == pytest.approx(0.05)
    assert verdict.low == 0.0
    assert "may be chance" in verdict.sentence
    assert "report 'grouped' to be safe" in verdict.sentence


def test_a_metric_that_falls_leaks_by_how_much_it_rises() -> None:
    tasks = [replace(task, metric="log-loss", higher_is_better=False) for task in (MIXED, GROUPED)]
    cells = (
        make_cell("mixed", right_on(0.9), confidence=0.8),
        make_cell("grouped", right_on(0.6), confidence=0.8),
    )
    verdict = ask(*cells, tasks=tasks, metric="log-loss")
    assert verdict.answer == "yes"
    # Three examples in ten fall from a probability of .9 to one of .1.
    assert verdict.difference == pytest.approx(0.3 * np.log(9))


def test_the_arm_is_the_one_that_is_best_with_groups_left_out() -> None:
    verdict = ask(
        make_cell("mixed", right_on(1.0), arm="full"),
        make_cell("mixed", right_on(0.8), arm="head"),
        make_cell("grouped", right_on(0.5), arm="full"),
        make_cell("grouped", right_on(0.7), arm="head"),
    )
    assert verdict.difference == pytest.approx(0.1)
    assert "the best trial of head scores a raw 0.800" in verdict.sentence


def test_an_arm_without_a_score_on_the_random_split_is_said() -> None:
    verdict = ask(
        make_cell("mixed", right_on(1.0), arm="full"), make_cell("grouped", right_on(0.7), arm="head")
    )
    assert verdict.sentence == "cannot tell: head has no score on examples mixed at random"
    assert verdict.difference is None


def test_examples_that_are_called_otherwise_cannot_be_paired() -> None:
    mixed = make_cell("mixed", right_on(0.9))
    assert mixed.evidence is not None
    renamed = replace(mixed.evidence, ids=tuple(f"m{name}" for name in mixed.evidence.ids))
    verdict = ask(replace(mixed, evidence=renamed), make_cell("grouped", right_on(0.6)))
    assert verdict.sentence == (
        "cannot tell: 'grouped' calls its examples otherwise: name the same column `id` in both tasks"
    )


@pytest.mark.parametrize(
    "tasks",
    [
        (replace(MIXED, substance="other clips"), GROUPED),
        (replace(MIXED, substance=""), replace(GROUPED, substance="")),
        (replace(MIXED, groups=40), GROUPED),
        (MIXED, replace(GROUPED, groups=None)),
    ],
    ids=["other data", "data of an older run", "other groups", "no groups"],
)
def test_tasks_that_differ_in_more_than_that_are_not_compared(tasks: tuple[ComparedTask, ...]) -> None:
    cells = (make_cell("mixed", right_on(0.9)), make_cell("grouped", right_on(0.6)))
    assert find_leaks(cells, tasks, {"mixed": measure(), "grouped": measure()}) == ()


def test_examples_that_are_each_their_own_group_are_mixed_at_random() -> None:
    own = replace(MIXED, groups=ROWS)
    cells = (make_cell("mixed", right_on(0.9)), make_cell("grouped", right_on(0.6)))
    assert ask(*cells, tasks=(own, GROUPED)).answer == "yes"


@pytest.mark.parametrize(("mixed", "grouped"), [("temporal", "kfold"), ("kfold", "temporal")])
def test_folds_in_the_order_of_time_are_no_random_mix(mixed: str, grouped: str) -> None:
    cells = (make_cell("mixed", right_on(0.9)), make_cell("grouped", right_on(0.6)))
    tasks = (replace(MIXED, scheme=mixed), replace(GROUPED, scheme=grouped))
    assert find_leaks(cells, tasks, {"mixed": measure(), "grouped": measure()}) == ()


def test_tasks_share_their_substance_but_for_ids_and_groups() -> None:
    facts = TaskFacts(
        digest="0",
        modality="text",
        examples=9,
        groups=3,
        labels=("no", "yes"),
        metric="accuracy",
        metrics=("accuracy",),
        higher_is_better=True,
        folds="0",
        content="c",
    )
    options = read_options({"group": "author"}, max_tokens=64)
    five = Protocol(folds=5)
    substance = name_substance(facts, options, five)
    mixed = replace(facts, digest="1", groups=None, folds="1", notes=("a note",))
    loose = read_options({}, max_tokens=64)
    assert name_substance(mixed, loose, five) == substance
    assert name_substance(replace(facts, fold_count=5), options, Protocol(folds=3)) == substance
    assert name_substance(mixed, loose, Protocol(folds=9)) != substance
    assert name_substance(mixed, loose, Protocol(folds=5, test=0.2)) != substance
    assert name_substance(mixed, loose, Protocol(folds=5, nested=Nested())) != substance
    assert name_substance(mixed, read_options({}, max_tokens=32), five) != substance
    assert name_substance(replace(mixed, content="d"), options, five) != substance
    assert name_substance(replace(mixed, metric="mcc"), options, five) != substance
    assert name_substance(replace(mixed, content=""), options, five) == ""


def read_options(data: dict[str, object], **task: object) -> TaskOptions:
    """Return the options of a task as a spec gives them."""
    spec = {
        "version": 1,
        "name": "clips",
        "tasks": {
            "task": {
                "type": "text-classification",
                "data": {"csv": "x.csv", "text": "text", "label": "label"} | data,
            }
            | task
        },
        "backbones": {"b": {"model": "x"}},
        "arms": {"a": {}},
    }
    return spec_model().model_validate_json(json.dumps(spec)).tasks["task"]
