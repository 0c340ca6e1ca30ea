"""Which searched values matter: weighed, kept by content, added to cells."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.candidate import build_candidate
from harness.importance import add_importances, weigh_arms
from harness.plan import Study
from harness.record.history import History, TrialRecord
from harness.record.importance import Importance, read_importances, write_importances
from harness.record.scores import FoldScore
from harness.report import json as report_json
from tests.judge import made_up
from tests.search import made

SPACE = made.make_space()  # depth, both rates and dropout are searched; backbone_lr only above the last block
STUDY = made.make_study(trials=40, space=SPACE)
PLAN = made.make_plan(STUDY)


def draw_trials(count: int, *, study: Study = STUDY) -> list[TrialRecord]:
    """Return trials whose score the rate of the head decides, and dropout a hundredth of it."""
    rng = np.random.default_rng(3)
    records = []
    for trial in range(count):
        drawn = {
            "freeze_depth": int(rng.integers(0, 5)),
            "head_lr": float(10 ** rng.uniform(-4, -1)),
            "backbone_lr": float(10 ** rng.uniform(-6, -3)),
            "dropout": float(rng.uniform(0, 0.3)),
        }
        score = 0.9 - 0.2 * abs(np.log10(drawn["head_lr"]) + 2) - 0.01 * drawn["dropout"]
        folds = tuple(
            FoldScore(study=study.id, trial=trial, repeat=0, fold=fold, state="ok", valid_score=float(score))
            for fold in range(study.folds)
        )
        assert study.space is not None
        records.append(
            TrialRecord(
                study=study.id,
                trial=trial,
                candidate=build_candidate(study.space, drawn),
                state="complete",
                folds=folds,
            )
        )
    return records


def remember(records: list[TrialRecord]) -> History:
    return History(trials={(each.study, each.trial): each for each in records})


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_the_value_that_decides_the_score_has_the_largest_share(higher_is_better: bool) -> None:
    study = replace(STUDY, higher_is_better=higher_is_better)
    plan = made.make_plan(study)
    (found,) = weigh_arms(plan, remember(draw_trials(40)), {}).values()
    shares = dict(found.shares)
    assert list(shares) == sorted(shares, key=lambda name: -shares[name])
    assert set(shares) == {"freeze_depth", "head_lr", "backbone_lr", "dropout"}
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["head_lr"] > 0.5
    assert found.trials == 40


def test_the_same_trials_in_any_order_weigh_the_same() -> None:
    records = draw_trials(20)
    assert weigh_arms(PLAN, remember(records), {}) == weigh_arms(PLAN, remember(records[::-1]), {})


def test_fewer_than_ten_complete_trials_are_not_weighed() -> None:
    records = draw_trials(10)
    pruned = replace(records[0], state="pruned")
    assert weigh_arms(PLAN, remember([pruned, *records[1:]]), {}) == {}
    assert list(weigh_arms(PLAN, remember(records), {})) == [STUDY.id]


def test_one_searched_value_is_not_weighed() -> None:
    study = made.make_study(
        trials=40, space=made.make_space(freeze_depth="all", head_lr={"log": [1e-4, 1e-1]})
    )
    assert weigh_arms(made.make_plan(study), remember(draw_trials(12, study=study)), {}) == {}


def test_trials_that_tie_tell_nothing() -> None:
    tied = [
        replace(each, folds=tuple(replace(fold, valid_score=0.5) for fold in each.folds))
        for each in draw_trials(12)
    ]
    (found,) = weigh_arms(PLAN, remember(tied), {}).values()
    assert found.shares == ()


def test_what_is_kept_is_taken_only_for_the_same_trials() -> None:
    known = weigh_arms(PLAN, remember(draw_trials(12)), {})
    ((study, kept),) = known.items()
    marked = {study: replace(kept, shares=(("head_lr", 1.0),))}
    assert weigh_arms(PLAN, remember(draw_trials(12)), marked) == marked
    assert weigh_arms(PLAN, remember(draw_trials(13)), marked)[study].trials == 13


def test_what_is_kept_is_read_again_and_damage_is_forgotten(tmp_path: Path) -> None:
    found = {STUDY.id: Importance(trials=12, shares=(("head_lr", 0.75), ("dropout", 0.25)), key="k")}
    assert read_importances(tmp_path) == {}
    write_importances(tmp_path, found)
    assert read_importances(tmp_path) == found
    for damage in ("{", "[]", '{"a": 1}', '{"a": {"trials": 1, "shares": [1], "key": ""}}'):
        (tmp_path / "importance.json").write_text(damage)
        assert read_importances(tmp_path) == {}


def test_what_is_kept_costs_no_import_of_optuna(tmp_path: Path) -> None:
    write_importances(tmp_path, weigh_arms(PLAN, remember(draw_trials(12)), {}))
    code = (
        "import sys, pathlib; from harness.importance import weigh_arms; "
        "from harness.record.importance import read_importances; from tests import test_importance as t; "
        f"known = read_importances(pathlib.Path({str(tmp_path)!r})); heavy = set(sys.modules); "
        "assert weigh_arms(t.PLAN, t.remember(t.draw_trials(12)), known) == known; "
        "print(sorted({'optuna.importance', 'sklearn'} & (set(sys.modules) - heavy)))"
    )
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=root, env={"PYTHONPATH": str(root)}
    )
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_table_json_has_the_shares_of_a_weighed_cell_and_null_for_others() -> None:
    comparison = made_up.compare_made_up()
    weighed = next(cell for cell in comparison.cells if cell.arm == "depth")
    found = {weighed.study: Importance(trials=12, shares=(("head_lr", 0.75), ("dropout", 0.25)), key="")}
    cells = json.loads(
        report_json.render(add_importances(comparison, made_up.make_plan(made_up.make_spec()), found))
    )["cells"]
    told = {(cell["task"], cell["arm"]): cell["importance"] for cell in cells}
    assert told.pop((weighed.task, "depth")) == {"head_lr": 0.75, "dropout": 0.25}
    assert set(told.values()) == {None}


def test_the_searches_of_a_nested_protocol_count_alike_in_their_cell() -> None:
    comparison = made_up.compare_made_up()
    plan = made_up.make_plan(made_up.make_spec())
    first = next(study for study in plan.studies if study.arm == "depth")
    second = replace(first, id="second", outer_fold=1)
    found = {
        first.id: Importance(trials=12, shares=(("head_lr", 0.75), ("dropout", 0.25)), key="a"),
        "second": Importance(trials=10, shares=(("dropout", 0.95), ("head_lr", 0.05)), key="b"),
    }
    nested = replace(plan, studies=(*plan.studies, second))
    cell = next(cell for cell in add_importances(comparison, nested, found).cells if cell.study == first.id)
    assert cell.importance is not None
    assert cell.importance.trials == 22
    assert [name for name, _ in cell.importance.shares] == ["dropout", "head_lr"]
    assert [share for _, share in cell.importance.shares] == pytest.approx([0.6, 0.4])
