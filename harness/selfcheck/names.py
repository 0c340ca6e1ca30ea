"""Names: a ranking must not change when methods are renamed or rows reordered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from harness.judge.comparison import Comparison, Ranking, RankRow
from harness.judge.rank import compare_arms
from harness.judge.standings import rank_scores
from harness.plan import BackboneFacts, Plan, Study, Survey, TaskFacts, expand
from harness.record.history import History, TrialRecord
from harness.record.scores import FoldScore, Predictions
from harness.selfcheck.finding import Finding
from harness.spec.models import Backbone, Search, Spec
from harness.spec.options import ArmOptions, DataOptions, Protocol, TaskOptions

CHECK = "names and order"
LABELS = ("no", "yes")
ROWS, FOLDS, TRIALS = 60, 2, 3
BEFORE = {"task": ("alpha", "beta"), "arm": ("first", "second", "third")}
AFTER = {"task": ("zeta", "eta"), "arm": ("one", "zwei", "a")}


def rename_everything() -> Iterator[Finding]:
    """Yield how many rows of a ranking change, of a table of scores and of a run."""
    yield Finding(
        check=CHECK, what="rows of a table's ranking that change", figure=_rank_tables(), low=0, high=0
    )
    yield Finding(
        check=CHECK, what="rows and cells of a run's ranking that change", figure=_rank_runs(), low=0, high=0
    )


def _rank_tables() -> int:
    """Return how many methods of a random table, some scores tied, rank otherwise under other names and orders."""
    rng = np.random.default_rng(5)
    scores = rng.integers(0, 9, size=(8, 5)) / 10
    methods, others = tuple("abcde"), tuple("qxazm")
    plain = rank_scores(_tabulate(scores, methods))
    order, places = rng.permutation(8), rng.permutation(5)
    moved = rank_scores(_tabulate(scores[order][:, places], [others[place] for place in places]))
    return _count_changed(plain, moved, dict(zip(methods, others, strict=True)))


def _tabulate(scores: np.ndarray, methods: Sequence[str]) -> Mapping[str, Mapping[str, float]]:
    return {f"data-{row}": dict(zip(methods, each.tolist(), strict=True)) for row, each in enumerate(scores)}


def _count_changed(plain: Ranking, moved: Ranking, renamed: Mapping[str, str]) -> int:
    """Return how many rows are not the same but for their names; figures may differ by the noise of summing."""
    found = {row.arm: row for row in moved.rows}
    return sum(
        _round(replace(row, arm=renamed[row.arm])) != _round(found[renamed[row.arm]]) for row in plain.rows
    )


def _round(row: RankRow) -> tuple[object, ...]:
    figures = (row.mean_rank, row.low, row.high, row.p_best)
    return (row.arm, row.tier, *(None if each is None else round(each, 9) for each in figures))


def _rank_runs() -> int:
    """Return how many arms or cells of a made-up run come out otherwise when all is renamed and turned round."""
    plain, moved = _compare(BEFORE, turned=False), _compare(AFTER, turned=True)
    arms, tasks = (dict(zip(BEFORE[kind], AFTER[kind], strict=True)) for kind in ("arm", "task"))
    cells = {(cell.task, cell.arm): (cell.score, cell.low, cell.high, cell.trial) for cell in moved.cells}
    changed = sum(
        cells[tasks[cell.task], arms[cell.arm]] != (cell.score, cell.low, cell.high, cell.trial)
        for cell in plain.cells
    )
    return changed + _count_changed(plain.ranking, moved.ranking, arms)


def _compare(names: Mapping[str, Sequence[str]], *, turned: bool) -> Comparison:
    """Return the comparison of a made-up run under the given names, its parts in their order or turned round."""
    step = -1 if turned else 1
    tasks, arms = (list(enumerate(names[kind]))[::step] for kind in ("task", "arm"))
    spec = Spec(
        version=1,
        name="made-up",
        tasks={
            name: TaskOptions(type="text-classification", data=DataOptions(), metric="accuracy")
            for _, name in tasks
        },
        backbones={"none": Backbone(model="none")},
        arms={name: ArmOptions(freeze_depth=0, epochs=number + 1) for number, name in arms},
        baselines=(),
        protocol=Protocol(folds=FOLDS),
        search=Search(trials=TRIALS),
    )
    plan = _plan(spec, {name: str(number) for number, name in tasks})
    records = [_tell_trial(study, trial) for study in plan.studies for trial in range(TRIALS)][::step]
    history = History(trials={(record.study, record.trial): record for record in records})
    return compare_arms(plan, history, spec, read=_predict)


def _plan(spec: Spec, digests: Mapping[str, str]) -> Plan:
    facts = TaskFacts(
        digest="",
        modality="text",
        examples=ROWS * FOLDS,
        groups=None,
        labels=LABELS,
        metric="accuracy",
        metrics=("accuracy",),
        higher_is_better=True,
        folds="",
    )
    survey = Survey(
        tasks={name: replace(facts, digest=digests[name]) for name in spec.tasks},
        backbones={"none": BackboneFacts(digest="none", modality="text", blocks=2)},
    )
    return expand(spec, survey)


def _tell_trial(study: Study, trial: int) -> TrialRecord:
    folds = tuple(
        FoldScore(study=study.id, trial=trial, repeat=0, fold=fold, state="ok", valid_score=0.5)
        for fold in range(FOLDS)
    )
    return TrialRecord(study=study.id, trial=trial, candidate=None, state="complete", folds=folds)


def _predict(fold: FoldScore) -> Predictions:
    """Return predictions that depend on the content of the study alone, of three in four examples right."""
    rng = np.random.default_rng([int(fold.study[:8], 16), fold.trial, fold.fold])
    targets = np.arange(ROWS) % 2
    decided = np.where(rng.random(ROWS) < 0.75, targets, 1 - targets)
    return Predictions(
        ids=tuple(f"{fold.fold}-{row:02d}" for row in range(ROWS)),
        groups=None,
        targets=tuple(LABELS[target] for target in targets),
        values=tuple(LABELS[each] for each in decided),
        labels=LABELS,
        probabilities=np.eye(2, dtype=np.float32)[decided],
    )
