"""A made-up run, three tasks x three arms and four baselines, whose numbers a person can follow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from harness.candidate import build_candidate
from harness.judge.comparison import Comparison
from harness.judge.rank import compare_arms
from harness.plan import BackboneFacts, Plan, Study, Survey, TaskFacts, expand
from harness.record.history import History, TrialRecord
from harness.record.scores import FoldScore, Predictions
from harness.spec.models import BASELINES, Backbone, Search, Spec
from harness.spec.options import ArmOptions, DataOptions, Protocol, TaskOptions
from harness.spec.ranges import Span

FOLDS = 3
ROWS = 200  # examples a fold
LABELS = ("no", "yes")
TASKS = ("reviews", "tickets", "intents")
LEVELS = {  # the mean score of a study's best trial, by task
    "depth": (0.724, 0.898, 0.835),
    "full": (0.711, 0.890, 0.842),
    "head-only": (0.695, 0.861, 0.790),
    "majority": (0.430, 0.100, 0.083),
    "classical": (0.640, 0.670, 0.480),
    "generic": (0.660, 0.800, 0.704),
    "probe": (0.683, 0.843, 0.771),
}
WOBBLE = (-0.012, 0.004, 0.008)  # by fold: sums to 0
TRIALS = (-0.02, 0.0, -0.01)  # by trial: the second is the best
PARAMETERS = {"depth": 3_600_000, "full": 22_700_000, "head-only": 1_155}
DEPTHS = {"depth": 4, "full": 0, "head-only": 6}
FIT_S = {"depth": 0.9, "full": 2.4, "head-only": 0.3}


def make_spec(
    tasks: Iterable[str] = TASKS, backbones: Iterable[str] = ("minilm",), metric: str = "macro-f1"
) -> Spec:
    """Return a spec of text tasks with three arms."""
    rate = Span("log", 1e-5, 1e-2)
    return Spec(
        version=1,
        name="quickstart",
        tasks={
            name: TaskOptions(type="text-classification", data=DataOptions(), metric=metric) for name in tasks
        },
        backbones={name: Backbone(model=f"asset:{name}") for name in backbones},
        arms={
            "head-only": ArmOptions(freeze_depth="all", head_lr=rate),
            "depth": ArmOptions(freeze_depth=Span("int", 0, "all"), head_lr=rate),
            "full": ArmOptions(freeze_depth=0, head_lr=rate),
        },
        protocol=Protocol(folds=FOLDS),
        search=Search(trials=len(TRIALS)),
    )


def make_plan(spec: Spec, *, metric: str = "macro-f1", higher_is_better: bool = True) -> Plan:
    """Return the spec's plan over 600 examples a task and six blocks a backbone."""
    facts = TaskFacts(
        digest="",
        modality="text",
        examples=600,
        groups=None,
        labels=LABELS,
        metric=metric,
        metrics=(metric,),
        higher_is_better=higher_is_better,
        folds="",
    )
    survey = Survey(
        tasks={name: replace(facts, digest=name) for name in spec.tasks},
        backbones={name: BackboneFacts(digest=name, modality="text", blocks=6) for name in spec.backbones},
    )
    return expand(spec, survey)


def score_trial(study: Study, trial: int, scores: Iterable[float]) -> TrialRecord:
    """Return a complete trial with the given fold scores; it scores .06 better on what it was trained on."""
    candidate = None
    if study.space is not None:
        drawn = {"freeze_depth": DEPTHS.get(study.arm, 0), "head_lr": 1e-3 * (trial + 1)}
        candidate = build_candidate(study.space, drawn)
    folds = tuple(
        FoldScore(
            study=study.id,
            trial=trial,
            repeat=0,
            fold=fold,
            state="ok",
            train_score=score + 0.06,
            valid_score=score,
            fit_s=FIT_S.get(study.arm, 0.1),
            trainable_parameters=PARAMETERS.get(study.arm),
        )
        for fold, score in enumerate(scores)
    )
    return TrialRecord(study=study.id, trial=trial, candidate=candidate, state="complete", folds=folds)


def make_history(records: Iterable[TrialRecord], damage: tuple[str, ...] = ()) -> History:
    """Return the history of the given trials."""
    return History(trials={(record.study, record.trial): record for record in records}, damage=damage)


def fill_history(plan: Plan) -> Mapping[tuple[str, int], TrialRecord]:
    """Return every trial of a plan, complete."""
    tasks = list(plan.survey.tasks)
    backbones = list(plan.survey.backbones)
    records = {}
    for study in plan.studies:
        level = LEVELS[study.arm][tasks.index(study.task) % 3] - 0.01 * backbones.index(study.backbone)
        for trial in range(study.trials if study.kind == "arm" else 1):
            offset = TRIALS[trial] if study.kind == "arm" else 0.0
            records[study.id, trial] = score_trial(
                study, trial, [level + offset + wobble for wobble in WOBBLE]
            )
    return records


def read(fold: FoldScore) -> Predictions:
    """Return predictions of ROWS examples whose accuracy, and nearly macro-F1, is the fold's score."""
    score = fold.valid_score or 0.0
    targets = np.arange(ROWS) % 2
    lucky = np.random.default_rng([round(1e6 * score), fold.trial, fold.fold]).permutation(ROWS)
    decided = np.where(lucky < round(score * ROWS), targets, 1 - targets)
    return Predictions(
        ids=tuple(f"{fold.fold}-{row:03d}" for row in range(ROWS)),
        groups=None,
        targets=tuple(LABELS[target] for target in targets),
        values=tuple(LABELS[target] for target in decided),
        labels=LABELS,
        probabilities=np.eye(2, dtype=np.float32)[decided],
    )


def compare_made_up() -> Comparison:
    """Return the comparison of the whole made-up run."""
    spec = make_spec()
    plan = make_plan(spec)
    return compare_arms(plan, History(trials=fill_history(plan)), spec, read=read)


def compare_with_a_hole() -> Comparison:
    """Return the same, but full tuning of intents never completed and one trial of depth on reviews was pruned."""
    spec = make_spec()
    plan = make_plan(spec)
    trials = dict(fill_history(plan))
    study = {(study.task, study.arm): study for study in plan.studies}
    for trial, (state, reason) in enumerate(
        [("failed", "out of memory"), ("failed", "out of memory"), ("pruned", "")]
    ):
        key = study["intents", "full"].id, trial
        trials[key] = replace(trials[key], state=state, reason=reason, folds=())
    key = study["reviews", "depth"].id, 0
    trials[key] = replace(trials[key], state="pruned", folds=trials[key].folds[:1])
    return compare_arms(plan, History(trials=trials, damage=("The ledger lost 1 line.",)), spec, read=read)


assert set(BASELINES) <= set(LEVELS)
