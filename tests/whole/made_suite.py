"""A suite of made-up folds, run as `harness run` runs one: claim, lock, ledger, search, tables. No torch, no Ray."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from harness.errors import HarnessError
from harness.plan import BackboneFacts, Plan, Survey, TaskFacts, expand
from harness.record.files import claim_run, write_whole
from harness.record.ledger import Ledger
from harness.record.lock import Lock, write_lock
from harness.record.scores import FoldJob, FoldScore, Predictions
from harness.runs import write_results
from harness.search.allotment import Allotment
from harness.search.drive import drive
from harness.search.pool import LocalPool, Pool
from harness.search.proposals import Proposals
from harness.search.schedule import Schedule
from harness.spec.load import load_spec
from harness.spec.models import Spec

BLOCKS = 4
LABELS = ("no", "yes")
ROWS = 12  # examples of a task
SUITE = """\
version: 1
name: made
tasks:
  reviews: {type: text-classification, data: {csv: r.csv, text: text, label: label}}
backbones:
  minilm: {model: minilm}
arms:
  depth: {freeze_depth: {int: [0, all]}, head_lr: {log: [1e-4, 1e-1]}, backbone_lr: 1e-4}
baselines: [majority]
protocol: {folds: 2}
search: {trials: 2, startup: 1, sampler: tpe, pruner: none}
compute: {workers: 1}
"""
LONGER = """\
version: 1
name: made
tasks:
  reviews: {type: text-classification, data: {csv: r.csv, text: text, label: label}}
  tickets: {type: text-classification, data: {csv: t.csv, text: text, label: label}}
backbones:
  minilm: {model: minilm}
arms:
  depth: {freeze_depth: {int: [0, all]}, head_lr: {log: [1e-4, 1e-1]}, backbone_lr: 1e-4}
baselines: [majority]
protocol: {folds: 3}
search: {trials: 5, startup: 1, sampler: tpe, pruner: median}
compute: {workers: 1}
"""


def read_suite(folder: Path, text: str = SUITE) -> tuple[Spec, Plan]:
    """Return a suite's spec and its plan over twelve made-up examples a task."""
    file = folder / "suite.yaml"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    spec = load_spec(file)
    facts = TaskFacts(
        digest="d", modality="text", examples=ROWS, groups=None, labels=LABELS, metric="macro-f1",
        metrics=("macro-f1",), folds="f", higher_is_better=True,
    )  # fmt: skip
    survey = Survey(
        tasks=dict.fromkeys(spec.tasks, facts),
        backbones={"minilm": BackboneFacts(digest="b", modality="text", blocks=BLOCKS)},
    )
    return spec, expand(spec, survey)


def score(job: FoldJob, folds: int = 3) -> FoldScore:
    """Return what a fold comes to: a function of the candidate and the fold, in no time."""
    rate = (
        0.5 if job.candidate is None else 1 / (1 + job.candidate.freeze_depth + 100 * job.candidate.head_lr)
    )
    draw = np.random.default_rng([zlib.crc32(job.task.encode()), round(1e9 * rate), job.repeat, job.fold])
    numbers = np.arange(job.fold, ROWS, folds)
    targets = numbers % 2
    shares = draw.random((len(numbers), 2)) + rate * np.eye(2)[targets]
    shares = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    value = float((shares.argmax(axis=1) == targets).mean() + rate / 10)
    return FoldScore(
        study=job.study, trial=job.trial, repeat=job.repeat, fold=job.fold, fraction=job.fraction, state="ok",
        freeze_depth=job.candidate.freeze_depth if job.candidate else None, blocks=BLOCKS, seed=job.fold,
        n_train=ROWS - len(numbers), metric="macro-f1", train_score=1.0, valid_score=value,
        metrics=(("macro-f1", value),), epochs=3, steps=12, fit_s=0.5, cpu_s=0.5, trainable_parameters=77,
        started_at="2026-01-01T00:00:00+00:00", host="here",
        predictions=Predictions(
            ids=tuple(f"{number:03d}" for number in numbers),
            groups=None,
            targets=tuple(LABELS[target] for target in targets),
            values=tuple(LABELS[index] for index in shares.argmax(axis=1)),
            labels=LABELS,
            probabilities=shares,
        ),
    )  # fmt: skip


def run_made(folder: Path, spec: Spec, plan: Plan, pool: Pool) -> str:
    """Run a suite into `folder` as the composition root does, and return how it ended."""
    with claim_run(folder):
        write_whole(folder / "spec.yaml", spec.model_dump_json().encode())
        write_lock(folder, Lock(spec_json=spec.model_dump_json(), base=folder, survey=plan.survey))
        with Ledger.open(folder) as ledger:
            ledger.reopen(plan.studies)
            before = ledger.history()
            outcome = drive(
                plan.studies,
                ledger=ledger,
                open_proposals=lambda study: Proposals.open(folder, study, spec.search, before),
                pool=pool,
                search=spec.search,
                schedule=Schedule(
                    plan.studies, ledger.history, Allotment(), clock=lambda: 0.0, rehearse=lambda: None
                ),
            )
            write_results(folder, plan, ledger.history(), spec)
    return outcome.ended


def run_to_exit(run: Callable[[], object]) -> int:
    """Call what runs a suite and return the exit code that the command line gives it."""
    try:
        run()
    except HarnessError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def run_suite(folder: Path) -> int:
    """Run the suite that `folder` holds in this process and return its exit code."""
    spec, plan = read_suite(folder)
    folds = spec.protocol.folds
    pool = LocalPool(lambda: lambda job: score(job, folds))
    return run_to_exit(lambda: run_made(folder / "results", spec, plan, pool))
