"""Files of out-of-fold predictions, one a fold, readable without the harness."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import StorageError
from harness.examples import Target
from harness.parquet import read_parquet
from harness.plan import SCHEMA_VERSION
from harness.record.files import storage_faults, write_whole
from harness.record.history import TrialRecord
from harness.record.scores import FoldScore, Key, Predictions, name_files

FOLDER = "predictions"
_META = b"harness"


def predictions_name(key: Key) -> str:
    """Return the name of a fold's file."""
    return f"{name_files(key)}.parquet"


def name_predictions(records: Iterable[TrialRecord]) -> set[str]:
    """Return the names of the files that some trials have, where none of them is lost."""
    return {predictions_name(score.key) for record in records for score in record.scores()}


def list_predictions(folder: Path) -> set[str]:
    """Return the names of the files of predictions in a run folder."""
    with storage_faults(folder / FOLDER):
        if not (folder / FOLDER).is_dir():
            return set()
        with os.scandir(folder / FOLDER) as entries:  # thousands: no Path for each
            names = [entry.name for entry in entries]
    return {name for name in names if name.endswith(".parquet") and not name.startswith(".")}


def remove_predictions(folder: Path, names: Iterable[str]) -> None:
    """Remove files of predictions by name."""
    for name in names:
        with storage_faults(folder / FOLDER / name):
            (folder / FOLDER / name).unlink(missing_ok=True)


def write_predictions(folder: Path, score: FoldScore) -> str:
    """Make a fold's predictions durable and return the SHA-256 of their file."""
    assert score.predictions is not None
    data = encode_predictions(score, score.predictions)
    write_whole(folder / FOLDER / predictions_name(score.key), data)
    return hashlib.sha256(data).hexdigest()


def encode_predictions(score: FoldScore, predictions: Predictions) -> bytes:
    """Return a fold's predictions as the bytes of their file."""
    sink = io.BytesIO()
    pq.write_table(_as_table(score, predictions), sink)
    return sink.getvalue()


def read_predictions(folder: Path, key: Key, sha256: str | None = None) -> Predictions:
    """Return a fold's predictions; StorageError where they are absent or not the bytes that `sha256` names.

    None leaves the bytes unchecked. Flipped bits in Parquet load silently, so pass the ledger's hash where
    the numbers count.
    """
    path = folder / FOLDER / predictions_name(key)
    with storage_faults(path):
        data = path.read_bytes()
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise StorageError(
            f"{path}: not the bytes that the ledger recorded. Restore the file from a copy, or remove the "
            f"run's folder and run again."
        )
    try:
        return _as_predictions(read_parquet(data))
    except (pa.ArrowException, ValueError, LookupError, TypeError, AttributeError) as error:
        # Its hash may be right: a run may be anybody's.
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise StorageError(f"{path}: holds no predictions as a run writes them ({reason})") from None


class Reader:
    """Gives the predictions of a run's folds, None where a folder was copied without them.

    It raises StorageError for a file that is not the bytes that the ledger recorded.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._there = list_predictions(folder)

    def __call__(self, fold: FoldScore) -> Predictions | None:
        """Return a fold's predictions."""
        if not self.has(fold):
            return None
        return read_predictions(self._folder, fold.key, fold.predictions_sha256)

    def has(self, fold: FoldScore) -> bool:
        """Tell whether a fold has predictions, and their file is there."""
        return fold.predictions_sha256 is not None and predictions_name(fold.key) in self._there


def open_reader(folder: Path) -> Reader:
    """Return what gives the predictions of a run's folds, of those that are there now."""
    return Reader(folder)


def _as_table(score: FoldScore, predictions: Predictions) -> pa.Table:
    rows = len(predictions.ids)
    kind = pa.string() if _are_words(predictions.targets) else pa.float64()
    columns: list[tuple[pa.Field, object]] = [
        (pa.field("study", pa.string()), [score.study] * rows),
        (pa.field("trial", pa.int32()), [score.trial] * rows),
        (pa.field("repeat", pa.int32()), [score.repeat] * rows),
        (pa.field("outer_fold", pa.int32()), [score.outer_fold] * rows),
        (pa.field("fold", pa.int32()), [score.fold] * rows),
        (pa.field("fraction", pa.float64()), [score.fraction] * rows),
        (pa.field("id", pa.string()), predictions.ids),
        (pa.field("group", pa.string()), predictions.groups or [None] * rows),
        (pa.field("target", kind), predictions.targets),
        (pa.field("prediction", kind), predictions.values),
    ]
    if predictions.clusters is not None:
        columns.append((pa.field("cluster", pa.string()), predictions.clusters))
    if predictions.weights is not None:
        columns.append((pa.field("weight", pa.float64()), predictions.weights))
    if predictions.probabilities is not None:
        shares = np.asarray(predictions.probabilities, dtype=np.float32)  # (examples, labels)
        columns += [
            (pa.field(f"p_{label}", pa.float32()), shares[:, place])
            for place, label in enumerate(predictions.labels)
        ]
    meta = {
        "schema_version": SCHEMA_VERSION,
        "labels": list(predictions.labels),
        "groups": predictions.groups is not None,
        "clusters": predictions.clusters is not None,
        "weights": predictions.weights is not None,
        "probabilities": predictions.probabilities is not None,
    }
    schema = pa.schema([field for field, _ in columns], metadata={_META: json.dumps(meta).encode()})
    arrays = [pa.array(values, type=field.type) for field, values in columns]
    return pa.Table.from_arrays(arrays, schema=schema)


def _as_predictions(table: pa.Table) -> Predictions:
    meta = json.loads(table.schema.metadata[_META])
    labels = tuple(meta["labels"])
    shares = [table.column(f"p_{label}").to_numpy() for label in labels] if meta["probabilities"] else None
    return Predictions(
        ids=tuple(table.column("id").to_pylist()),
        groups=tuple(table.column("group").to_pylist()) if meta["groups"] else None,
        targets=tuple(table.column("target").to_pylist()),
        values=tuple(table.column("prediction").to_pylist()),
        clusters=tuple(table.column("cluster").to_pylist()) if meta.get("clusters") else None,
        weights=tuple(table.column("weight").to_pylist()) if meta["weights"] else None,
        labels=labels,
        probabilities=None if shares is None else np.stack(shares, axis=1),
    )


def _are_words(targets: tuple[Target, ...]) -> bool:
    return any(isinstance(target, str) for target in targets)
