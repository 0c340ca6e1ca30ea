"""Per-class scores and the confusion matrix, worked out by hand."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness import plugins
from harness.judge.classes import ClassScore, ClassTable, Confused, tabulate_classes
from harness.judge.comparison import Comparison
from harness.judge.evidence import Evidence
from harness.judge.rank import compare_arms
from harness.record.history import History
from harness.record.scores import FoldScore, Predictions

made = runpy.run_path(str(Path(__file__).with_name("made_up.py")))

TARGETS = (0, 0, 0, 0, 1, 1, 1, 2)
DECIDED = (0, 0, 0, 1, 1, 1, 0, 1)
EVIDENCE = Evidence(
    ids=tuple("abcdefgh"),
    groups=None,
    targets=np.array(TARGETS),
    weights=np.ones(8),
    predictions=(np.eye(4)[list(DECIDED)],),
    labels=("cat", "dog", "eel", "fox"),  # no example is a fox, and none is taken for one
)


def tabulate(evidence: Evidence) -> ClassTable:
    target = plugins.find("targets", "classes")
    table = tabulate_classes(evidence, target, task="pets", backbone="net", arm="full", trial=3)
    assert table is not None
    return table


def test_each_class_has_its_support_precision_recall_and_f1() -> None:
    table = tabulate(EVIDENCE)
    assert (table.task, table.backbone, table.arm, table.trial) == ("pets", "net", "full", 3)
    assert table.confusion == ((3, 1, 0, 0), (1, 2, 0, 0), (0, 1, 0, 0), (0, 0, 0, 0))
    assert not table.weighted
    cat, dog, eel, fox = table.classes
    assert (cat.label, cat.support, cat.precision, cat.recall, cat.f1) == ("cat", 4, 0.75, 0.75, 0.75)
    assert (dog.support, dog.precision, dog.recall, dog.f1) == (3, 0.5, 2 / 3, 4 / 7)
    assert (eel.support, eel.precision, eel.recall, eel.f1) == (1, None, 0, 0)
    assert fox == ClassScore(
        label="fox", support=0, precision=None, recall=None, low=None, high=None, f1=None
    )


def test_a_recall_of_plain_examples_has_wilsons_interval() -> None:
    cat, _, eel, _ = tabulate(EVIDENCE).classes
    assert (cat.low, cat.high) == (pytest.approx(0.300642, abs=1e-6), pytest.approx(0.954413, abs=1e-6))
    assert (eel.low, eel.high) == (0, pytest.approx(0.793450, abs=1e-6))


def test_classes_that_are_confused_stand_the_commonest_first() -> None:
    assert tabulate(EVIDENCE).list_confused() == (
        Confused(target="cat", predicted="dog", count=1),
        Confused(target="dog", predicted="cat", count=1),
        Confused(target="eel", predicted="dog", count=1),
    )
    heavy = tabulate(replace(EVIDENCE, weights=np.array([1, 1, 1, 1, 1, 1, 1, 2.5])))
    assert heavy.list_confused()[0] == Confused(target="eel", predicted="dog", count=2.5)


def test_weights_count_and_the_interval_is_drawn() -> None:
    table = tabulate(replace(EVIDENCE, weights=np.array([2, 1, 1, 2, 1, 1, 1, 0])))
    assert table.weighted
    assert table.confusion[:2] == ((4, 2, 0, 0), (1, 2, 0, 0))
    cat, dog, eel, _ = table.classes
    assert (cat.support, cat.precision, cat.recall) == (6, 4 / 5, 4 / 6)
    assert cat.low is not None
    assert cat.high is not None
    assert 0 <= cat.low < 4 / 6 < cat.high <= 1
    assert dog.f1 == pytest.approx(2 * 2 / (3 + 4))
    assert (eel.support, eel.recall, eel.low) == (0, None, None)  # its only example counts for nothing


def test_groups_are_drawn_whole() -> None:
    one = tabulate(replace(EVIDENCE, groups=("g",) * 8)).classes[0]
    assert (one.low, one.high) == (0.75, 0.75)  # every bag is the whole
    two = tabulate(replace(EVIDENCE, groups=tuple("rrrwrrrr"))).classes[0]
    # Three right cats in one group, the wrong one in the other: a quarter of bags has no wrong one, another no other.
    assert (two.low, two.high) == (0.0, 1.0)


def test_numbers_have_no_classes() -> None:
    evidence = replace(EVIDENCE, labels=(), predictions=(np.zeros(8),))
    target = plugins.find("targets", "values")
    assert tabulate_classes(evidence, target, task="t", backbone="b", arm="a", trial=0) is None


def read_weighted(fold: FoldScore) -> Predictions:
    told: Predictions = made["read"](fold)
    return replace(told, weights=(0.5,) * len(told.ids))


def compare_made_up(**options: object) -> Comparison:
    spec = made["make_spec"]()
    plan = made["make_plan"](spec)
    comparison: Comparison = compare_arms(plan, History(trials=made["fill_history"](plan)), spec, **options)
    return comparison


def test_the_best_arm_of_each_task_shows_its_classes() -> None:
    comparison = compare_made_up(read=made["read"])
    assert [(table.task, table.arm, table.trial) for table in comparison.classes] == [
        ("reviews", "depth", 1),
        ("tickets", "depth", 1),
        ("intents", "full", 1),
    ]
    for table in comparison.classes:
        (cell,) = [cell for cell in comparison.cells if (cell.task, cell.arm) == (table.task, table.arm)]
        assert sum(map(sum, table.confusion)) == 600
        assert [each.support for each in table.classes] == [300, 300]
        f1 = [each.f1 or 0 for each in table.classes]
        assert sum(f1) / 2 == pytest.approx(cell.raw_best)  # macro-f1 is their mean


def test_weights_of_predictions_reach_the_matrix() -> None:
    table = compare_made_up(read=read_weighted).classes[0]
    assert table.weighted
    assert [each.support for each in table.classes] == [150, 150]


def test_without_predictions_no_classes_are_told() -> None:
    assert compare_made_up().classes == ()
