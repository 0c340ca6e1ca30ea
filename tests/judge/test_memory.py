"""What bags said before is recalled where nothing has changed, and only there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.judge.case import Case
from harness.judge.evidence import Measure
from harness.judge.memory import Memory, name_bags, pack_bags, unpack_bags
from harness.judge.stats import bbc_cv_metric
from harness.judge.whole import find_whole
from harness.metrics import accuracy, macro_f1
from harness.record.remembered import REMEMBERED, read_remembered, write_remembered
from harness.record.scores import FoldScore, Predictions
from harness.targets import classes
from tests.judge import made_up

SPEC = made_up.make_spec(["reviews"])
PLAN = made_up.make_plan(SPEC)
STUDY = next(study for study in PLAN.studies if study.arm == "depth")
MEASURE = Measure(score=macro_f1.score, target=classes, rough=macro_f1.score_bags, name="macro-f1")


class Counting:
    """Reads made-up predictions and counts how often."""

    def __init__(self) -> None:
        self.reads = 0

    def __call__(self, fold: FoldScore) -> Predictions:
        self.reads += 1
        return made_up.read(fold)


def make_case(memory: Memory, read: Counting, measure: Measure = MEASURE, tag: str = "a") -> Case:
    records = [
        record
        for (study, _), record in made_up.fill_history(PLAN).items()
        if study == STUDY.id
    ]  # fmt: skip
    named = [
        replace(
            record,
            folds=tuple(
                replace(fold, predictions_sha256=f"{tag}{fold.trial}{fold.fold}") for fold in record.folds
            ),
        )
        for record in records
    ]
    whole = [found for record in named if (found := find_whole(STUDY, record))]
    return Case(whole, STUDY, measure, read, memory)


def test_what_was_said_is_recalled_without_reading(tmp_path: Path) -> None:
    memory, read = Memory(has=lambda fold: True), Counting()
    said = make_case(memory, read).bag([0, 1, 2])
    assert read.reads == 9
    write_remembered(tmp_path, memory.used)
    kept = Memory(read_remembered(tmp_path), has=lambda fold: True)
    assert not Memory(memory.used).used
    again = make_case(kept, read).bag([0, 1, 2])
    assert read.reads == 9
    assert repr(pack_bags(again).tolist()) == repr(pack_bags(said).tolist())
    assert not kept.has_changed


@pytest.mark.parametrize("change", ["predictions", "metric", "gone", "nameless"])
def test_nothing_is_recalled_of_what_has_changed(change: str) -> None:
    memory, read = Memory(has=lambda fold: True), Counting()
    make_case(memory, read).bag([0, 1, 2])
    has = change != "gone"
    later = Memory(memory.used, has=lambda fold: has)
    measure = {
        "metric": replace(MEASURE, score=accuracy.score, rough=accuracy.score_bags, name="accuracy"),
        "nameless": replace(MEASURE, name=""),  # a plug-in's
    }.get(change, MEASURE)
    make_case(later, read, measure, tag="b" if change == "predictions" else "a").bag([0, 1, 2])
    assert read.reads == 18


def test_some_of_the_trials_are_another_answer() -> None:
    memory, read = Memory(has=lambda fold: True), Counting()
    case = make_case(memory, read)
    assert case.bag([0, 1, 2]).raw_best >= case.bag([1]).raw_best
    assert len(memory.used) == 2


def test_a_key_needs_the_hash_of_every_fold() -> None:
    folds = [FoldScore(study="s", trial=0, repeat=0, fold=0, state="ok")]
    assert name_bags(MEASURE, [folds], higher_is_better=True) == ""


def test_undefined_numbers_come_back_as_they_were() -> None:
    draw = np.random.default_rng(1)
    trials = [draw.normal(size=30) for _ in range(3)]
    said = bbc_cv_metric(trials, draw.normal(size=30), lambda p, t, w: float("nan"), bags=4)
    assert repr(unpack_bags(pack_bags(said))) == repr(said)


def test_a_row_that_was_harmed_is_forgotten(tmp_path: Path) -> None:
    write_remembered(tmp_path, {"a": np.arange(300.0), "b": np.arange(4.0)})
    assert read_remembered(tmp_path).keys() == {"a", "b"}
    data = (tmp_path / REMEMBERED).read_bytes()
    known = 0
    for at in range(len(data)):
        (tmp_path / REMEMBERED).write_bytes(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])
        for key, row in read_remembered(tmp_path).items():
            known += 1
            assert row.tolist() == list(range(300 if key == "a" else 4))
    assert known < 2 * len(data)
    for cut in (0, 7, len(data) // 2, len(data) - 1):
        (tmp_path / REMEMBERED).write_bytes(data[:cut])
        assert read_remembered(tmp_path) == {}
