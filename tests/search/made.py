"""Made-up suites whose folds cost nothing: a score is a pure function of the candidate and the fold."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from harness.candidate import Space, resolve_space
from harness.methods.full import Options
from harness.plan import BackboneFacts, Plan, Study, Survey, TaskFacts
from harness.record.files import claim_run
from harness.record.history import History
from harness.record.ledger import Ledger
from harness.record.scores import FoldJob, FoldScore, Predictions
from harness.record.tables import write_tables
from harness.search.drive import Outcome, drive
from harness.search.events import Event
from harness.search.pool import LocalPool, Pool
from harness.search.proposals import Proposals
from harness.search.schedule import Allotment, Schedule
from harness.spec.models import Search

BLOCKS = 4
SEARCHED = {
    "freeze_depth": {"int": [0, "all"]},
    "head_lr": {"log": [1e-4, 1e-1]},
    "backbone_lr": {"log": [1e-6, 1e-3]},
    "dropout": {"float": [0.0, 0.3]},
}


def make_space(**arm: object) -> Space:
    """Return the space of an arm on a backbone of four blocks."""
    return resolve_space(Options.model_validate(arm or SEARCHED), BLOCKS)


def make_study(arm: str = "depth", *, task: str = "reviews", trials: int = 4, folds: int = 2, repeats: int = 1,
               space: Space | None = None, higher_is_better: bool = True) -> Study:  # fmt: skip
    """Return a study of an arm; `majority` is a baseline."""
    baseline = arm == "majority"
    return Study(
        id=hashlib.sha256(f"{task} {arm}".encode()).hexdigest()[:16],
        task=task,
        backbone="minilm",
        arm=arm,
        kind="baseline" if baseline else "arm",
        space=None if baseline else space or make_space(),
        trials=1 if baseline else trials,
        repeats=repeats,
        folds=folds,
        higher_is_better=higher_is_better,
        blocks=BLOCKS,
    )


def make_plan(*studies: Study) -> Plan:
    """Return a plan of the studies."""
    facts = TaskFacts(
        digest="d", modality="text", examples=6, groups=None, labels=("no", "yes"), metric="macro-f1",
        metrics=("macro-f1",), folds="f", higher_is_better=True,
    )  # fmt: skip
    return Plan(
        suite="made-up",
        survey=Survey(
            tasks={study.task: facts for study in studies},
            backbones={"minilm": BackboneFacts(digest="b", modality="text", blocks=BLOCKS)},
        ),
        studies=studies,
    )


def make_score(job: FoldJob) -> FoldScore:
    """Return the score of a fold: deeper is worse, a rate of 1e-2 is best, folds differ a little."""
    value = 0.5
    if job.candidate is not None:
        value = 0.9 - 0.05 * job.candidate.freeze_depth - 0.1 * abs(np.log10(job.candidate.head_lr) + 2)
    return FoldScore(
        study=job.study,
        trial=job.trial,
        repeat=job.repeat,
        fold=job.fold,
        fraction=job.fraction,
        state="ok",
        freeze_depth=job.candidate.freeze_depth if job.candidate else None,
        blocks=BLOCKS,
        seed=job.fold,
        n_train=4,
        metric="macro-f1",
        train_score=1.0,
        valid_score=float(value + 0.01 * (job.fold + job.repeat)),
        metrics=(("macro-f1", float(value)), ("auc", float("nan"))),
        epochs=3,
        steps=12,
        fit_s=0.5,
        started_at="2026-01-01T00:00:00+00:00",
        host="here",
        predictions=Predictions(
            ids=(f"{job.fold}a", f"{job.fold}b"),
            groups=None,
            targets=("no", "yes"),
            values=("no", "no"),
            labels=("no", "yes"),
            probabilities=np.array([[0.75, 0.25], [0.5, 0.5]], dtype=np.float32),
        ),
    )


def run_plan(
    folder: Path,
    plan: Plan,
    search: Search,
    *,
    score: Callable[[FoldJob], FoldScore] = make_score,
    pool: Pool | None = None,
    stop: Callable[[], bool] = lambda: False,
    on_event: Callable[[Event], None] = lambda event: None,
    clock: Callable[[], float] = lambda: 0.0,
    deadline_s: float | None = None,
    allotment: Allotment | None = None,
    rehearse: Callable[[], None] | None = None,
    minimum_trials: int = 1,
) -> tuple[Outcome, History]:
    """Run a plan as the composition root does, in this process unless a pool is given."""
    with claim_run(folder), Ledger.open(folder) as ledger:
        ledger.reopen(plan.studies)
        history = ledger.history()
        outcome = drive(
            plan.studies,
            ledger=ledger,
            open_proposals=lambda study: Proposals.open(folder, study, search, history),
            pool=pool or LocalPool(lambda: score),
            search=search,
            schedule=Schedule(
                plan.studies,
                ledger.history,
                allotment or Allotment(ends_s=deadline_s),
                clock=clock,
                rehearse=rehearse,
            ),
            minimum_trials=minimum_trials,
            stop=stop,
            on_event=on_event,
        )
        write_tables(folder, plan, ledger.history())
        return outcome, ledger.history()


def read_tables(folder: Path) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Return the rows of folds.parquet and of trials.parquet."""
    return pq.read_table(folder / "folds.parquet").to_pylist(), pq.read_table(
        folder / "trials.parquet"
    ).to_pylist()
