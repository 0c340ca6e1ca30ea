"""A made-up run of many tasks and four arms, each tested on what was locked away; one arm has but one candidate."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.judge.comparison import Comparison
from harness.judge.rank import compare_arms
from harness.plan import Plan
from harness.record.history import TrialRecord
from harness.spec.models import Search, Spec
from harness.spec.options import ArmOptions, Protocol

made = runpy.run_path(str(Path(__file__).with_name("made_up.py")))
GOODNESS = {"depth": 0.80, "full": 0.79, "head-only": 0.74, "fixed": 0.70}
NOISE = 0.02


def make_spec(tasks: int, *, metric: str = "accuracy", backbones: tuple[str, ...] = ("minilm",)) -> Spec:
    """Return a spec of many text tasks with four arms, a fifth of the examples locked away."""
    spec: Spec = made["make_spec"](
        [f"task-{number:02d}" for number in range(tasks)], backbones=backbones, metric=metric
    )
    return spec.model_copy(
        update={
            "arms": spec.arms | {"fixed": ArmOptions(freeze_depth=0)},
            "baselines": (),
            "protocol": Protocol(folds=made["FOLDS"], test=0.2),
            "search": Search(trials=2),
        }
    )


def fill(plan: Plan, *, seed: int = 0) -> dict[tuple[str, int], TrialRecord]:
    """Return every trial of a plan, complete, the first of each study tested."""
    records = {}
    for place, study in enumerate(plan.studies):
        level = GOODNESS[study.arm] + NOISE * float(np.random.default_rng([seed, place]).normal())
        for trial in range(study.trials):
            offset = -0.02 * trial
            record = made["score_trial"](study, trial, [level + offset + wobble for wobble in made["WOBBLE"]])
            if trial == 0:
                test = replace(record.folds[0], fold=made["FOLDS"], valid_score=level)
                record = replace(record, test=test)
            records[study.id, trial] = record
    return records


def compare_many(tasks: int = 12, **options: object) -> Comparison:
    """Return the comparison of the whole run."""
    spec = make_spec(tasks, **options)
    plan = made["make_plan"](spec, metric=spec.tasks["task-00"].metric)
    return compare_arms(plan, made["make_history"](fill(plan).values()), spec, read=made["read"])
