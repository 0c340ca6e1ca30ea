"""Run folders as another process leaves them, made without torch: a lock, a ledger, a log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness.plan import BackboneFacts, Plan, Survey, TaskFacts, expand
from harness.record.lock import Lock, write_lock
from harness.record.scores import FoldJob, FoldScore
from harness.spec.models import Spec, spec_model
from tests.search.made import BLOCKS, SEARCHED, make_score, run_plan


def make_run(
    results: Path,
    *,
    name: str = "night",
    tasks: tuple[str, ...] = ("reviews",),
    trials: int = 3,
    score: Callable[[FoldJob], FoldScore] = make_score,
    stop: Callable[[], bool] = lambda: False,
    **keys: object,
) -> Path:
    """Run a made-up suite of one arm and one baseline a task until `stop`, and return its folder."""
    spec = _make_spec(name, tasks, trials, keys)
    plan = _make_plan(spec, tasks)
    folder = results / name
    write_lock(folder, Lock(spec_json=spec.model_dump_json(), base=results, survey=plan.survey))
    run_plan(folder, plan, spec.search, score=score, stop=stop)
    return folder


def stop_after(looks: int) -> Callable[[], bool]:
    """Return what says so after it was asked so many times: before each fold it is asked once."""
    asked = iter(range(looks))
    return lambda: next(asked, None) is None


def _make_spec(name: str, tasks: tuple[str, ...], trials: int, keys: dict[str, object]) -> Spec:
    data = {"csv": "texts.csv", "text": "text", "label": "label"}
    return spec_model().model_validate(
        {
            "version": 1,
            "name": name,
            "tasks": {task: {"type": "text-classification", "data": data} for task in tasks},
            "backbones": {"minilm": {"model": "minilm"}},
            "arms": {"depth": SEARCHED},
            "baselines": ["majority"],
            "protocol": {"folds": 2},
            "search": {"trials": trials, "pruner": "none", "startup": 2},
        }
        | keys
    )


def _make_plan(spec: Spec, tasks: tuple[str, ...]) -> Plan:
    facts = TaskFacts(
        digest="", modality="text", examples=6, groups=None, labels=("no", "yes"), metric="macro-f1",
        metrics=("macro-f1",), folds="f", higher_is_better=True,
    )  # fmt: skip
    survey = Survey(
        tasks={task: replace(facts, digest=task) for task in tasks},  # two of one content were one study
        backbones={"minilm": BackboneFacts(digest="b", modality="text", blocks=BLOCKS)},
    )
    return expand(spec, survey)
