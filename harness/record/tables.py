"""The Parquet tables of a run: folds and trials, in an explicit schema that other tools can rely on."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from harness.candidate import Candidate
from harness.plan import SCHEMA_VERSION, Plan, Study
from harness.record.files import write_whole
from harness.record.history import History, TrialRecord
from harness.record.means import mean_score
from harness.record.scores import FoldScore

FOLDS, TRIALS = "folds.parquet", "trials.parquet"
_META = {b"schema_version": str(SCHEMA_VERSION).encode()}

# A candidate's values by column. `epochs` is the number really run, so the one asked for has another name.
_VALUES = (
    ("method", pa.string()),
    ("head_lr", pa.float64()),
    ("backbone_lr", pa.float64()),
    ("layer_decay", pa.float64()),
    ("weight_decay", pa.float64()),
    ("dropout", pa.float64()),
    ("label_smoothing", pa.float64()),
    ("class_weights", pa.string()),
    ("batch_norm", pa.string()),
    ("epochs_max", pa.int32()),
    ("batch_size", pa.int32()),
    ("warmup", pa.float64()),
    ("schedule", pa.string()),
    ("clip", pa.float64()),
    ("params", pa.string()),
)

FOLD_SCHEMA = pa.schema(
    [
        ("suite", pa.string()),
        ("task", pa.string()),
        ("modality", pa.string()),
        ("backbone", pa.string()),
        ("arm", pa.string()),
        ("study", pa.string()),
        ("trial", pa.int32()),
        ("candidate", pa.string()),
        ("repeat", pa.int32()),
        ("outer_fold", pa.int32()),
        ("fold", pa.int32()),
        ("fraction", pa.float64()),
        ("seed", pa.uint64()),
        ("n_train", pa.int64()),
        ("state", pa.string()),
        ("error", pa.string()),
        ("freeze_depth", pa.int32()),
        ("blocks", pa.int32()),
        *_VALUES,
        ("metric", pa.string()),
        ("train_score", pa.float64()),
        ("valid_score", pa.float64()),
        ("train_loss", pa.float64()),
        ("valid_loss", pa.float64()),
        ("metrics", pa.string()),
        ("epochs", pa.int32()),
        ("steps", pa.int64()),
        ("micro_batch", pa.int32()),
        ("precision", pa.string()),
        ("fit_s", pa.float64()),
        ("cpu_s", pa.float64()),
        ("trainable_parameters", pa.int64()),
        ("peak_rss_bytes", pa.int64()),
        ("peak_gpu_bytes", pa.int64()),
        ("shelf_hit", pa.bool_()),
        ("frozen_proof", pa.string()),
        ("started_at", pa.string()),
        ("host", pa.string()),
        ("schema_version", pa.int32()),
    ],
    metadata=_META,
)

TRIAL_SCHEMA = pa.schema(
    [
        ("study", pa.string()),
        ("trial", pa.int32()),
        ("candidate", pa.string()),
        ("state", pa.string()),
        ("pruned_at_fold", pa.int32()),
        ("folds", pa.int32()),
        ("mean", pa.float64()),
        ("freeze_depth", pa.int32()),
        ("blocks", pa.int32()),
        *_VALUES,
    ],
    metadata=_META,
)

_MEASURED = tuple(field.name for field in fields(FoldScore) if field.name in FOLD_SCHEMA.names)
_OWN = frozenset(field.name for field in fields(Candidate))

Row = dict[str, object]


def write_tables(folder: Path, plan: Plan, history: History) -> None:
    """Write folds.parquet and trials.parquet: what the history says of the plan's studies, in its order.

    Two cells of one content are one study, which stands under the name of the first: no fold has two rows.
    """
    folds: list[Row] = []
    trials: list[Row] = []
    for study, record in _in_order(plan, history):
        asked = _describe_asked(study, record)
        folds += [_fold_row(plan, study, record, fold, asked) for fold in _by_step(record)]
        trials.append(_trial_row(study, record, asked))
    _write(folder / FOLDS, folds, FOLD_SCHEMA)
    _write(folder / TRIALS, trials, TRIAL_SCHEMA)


def _write(path: Path, rows: list[Row], schema: pa.Schema) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink)
    write_whole(path, sink.getvalue())


def _in_order(plan: Plan, history: History) -> Iterator[tuple[Study, TrialRecord]]:
    first_cells = {study.id: study for study in reversed(plan.studies)}
    for study in plan.studies:
        if first_cells[study.id] is study:
            yield from ((study, record) for record in history.of(study.id))


def _by_step(record: TrialRecord) -> list[FoldScore]:
    return sorted((*record.folds, *record.reduced), key=lambda fold: (fold.fraction < 1, fold.key))


def _fold_row(plan: Plan, study: Study, record: TrialRecord, fold: FoldScore, asked: Row) -> Row:
    facts = plan.survey.tasks[study.task]
    measured = {name: getattr(fold, name) for name in _MEASURED}
    return (
        measured
        | asked
        | {
            "suite": plan.suite,
            "task": study.task,
            "modality": facts.modality,
            "backbone": study.backbone,
            "arm": study.arm,
            "freeze_depth": _depth(record, fold),
            "metrics": json.dumps({name: _as_legal(value) for name, value in fold.metrics}),
            "schema_version": SCHEMA_VERSION,
        }
    )


def _trial_row(study: Study, record: TrialRecord, asked: Row) -> Row:
    searched = record.search_folds(study.repeats)
    ok = [fold for fold in _by_step(replace(record, folds=searched, reduced=())) if fold.state == "ok"]
    last = ok[-1] if ok else None
    return asked | {
        "study": study.id,
        "trial": record.trial,
        "state": record.state,
        "pruned_at_fold": _step(study, last) if last and record.state == "pruned" else None,
        "folds": len(ok),
        "mean": mean_score(ok),
        "freeze_depth": _depth(record, last),
    }


def _describe_asked(study: Study, record: TrialRecord) -> Row:
    """Return what the rows of a trial and of its folds have in common."""
    return _values(record.candidate) | {"candidate": _digest(record), "blocks": study.blocks}


def _step(study: Study, fold: FoldScore) -> int:
    return fold.repeat * study.folds + fold.fold


def _values(candidate: Candidate | None) -> Row:
    if candidate is None:
        return {"params": "{}"}
    row: Row = {name: getattr(candidate, name) for name, _ in _VALUES if name in _OWN}
    others = dict(candidate.extras)
    if candidate.patience is not None:
        others |= {"patience": candidate.patience, "stopping_share": candidate.stopping_share}
    return row | {"epochs_max": candidate.epochs, "params": json.dumps(others, sort_keys=True)}


def _digest(record: TrialRecord) -> str | None:
    return None if record.candidate is None else record.candidate.digest()


def _depth(record: TrialRecord, fold: FoldScore | None) -> int | None:
    if record.candidate is not None:
        return record.candidate.freeze_depth
    return fold.freeze_depth if fold else None


def _as_legal(value: float) -> float | None:
    return value if -float("inf") < value < float("inf") else None
