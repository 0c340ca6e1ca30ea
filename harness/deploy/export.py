"""Export: the winner as an ordinary `save_pretrained` folder that `transformers.pipeline` loads."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from transformers import pipeline

from harness.deploy.refit import Winner, refit_winner
from harness.errors import StorageError
from harness.learn.bench import Bench
from harness.learn.loop import compute_logits
from harness.learn.sources import Source, task_type
from harness.modalities import find_modality
from harness.model.batch import call_logits
from harness.model.load import quietly
from harness.record.files import storage_faults

PROOF_ROWS = 200
TOLERANCE = 1e-4  # of a probability or a number: other padding, other rounding


class ExportError(AssertionError):
    """What was exported does not predict what was trained: a bug of ours, and the folder is not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """An export that was loaded again and asked."""

    folder: Path
    winner: Winner
    rows: int  # trained on
    proven: int  # rows on which the pipeline predicts what the harness predicts
    difference: float  # the largest between their probabilities or numbers
    use: str  # what who calls the pipeline has to know; may be empty


def export_model(source: Source, winner: Winner, out: Path) -> Exported:
    """Refit the winner on all rows and write `out`: model, processor and label names, proven to load and to agree."""
    scratch = _open_scratch(out)
    with scratch as name, quietly():
        folder = Path(name) / "model"
        bench = refit_winner(source, winner)
        kind = task_type(source.spec(), winner.task)
        _write_model(bench, folder, out)
        rows = np.unique(np.linspace(0, len(bench.examples) - 1, PROOF_ROWS).astype(int))
        difference = _compare_with_pipeline(bench, kind, folder, rows)
        if difference > TOLERANCE:
            raise ExportError(
                f"{out}: the exported pipeline's predictions differ from ours by {difference:.2g}"
            )
        with storage_faults(out):
            if out.exists():
                out.rmdir()
            folder.replace(out)
    return Exported(
        folder=out,
        winner=winner,
        rows=len(bench.examples),
        proven=len(rows),
        difference=difference,
        use=find_modality(bench.modality).describe_use(bench.processor),
    )


def _open_scratch(out: Path) -> tempfile.TemporaryDirectory[str]:
    """Return a folder beside `out`, made before hours of training and not after them."""
    with storage_faults(out):
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise StorageError(f"{out}: is not an empty folder; name another one with --out, or remove it")
        out.parent.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent)


def _write_model(bench: Bench, folder: Path, out: Path) -> None:
    """Write the model and its processor into a folder that will be `out`."""
    with storage_faults(out):
        try:
            bench.model.save_pretrained(folder)  # type: ignore[operator]  # a PreTrainedModel, typed as a Module
        except SafetensorError as error:  # how safetensors calls a disk that is full or fails
            raise StorageError(
                f"{out}: the weights cannot be written: {error}. Free space, or name another folder with --out."
            ) from error
        bench.processor.save_pretrained(folder)


def _compare_with_pipeline(bench: Bench, kind: ModuleType, folder: Path, rows: np.ndarray) -> float:
    """Return the largest difference between the loaded pipeline's predictions and ours on some rows."""
    modality, ours = find_modality(bench.modality), _predict(bench, rows)
    run: Any = pipeline(kind.PIPELINE, model=str(folder), device="cpu")
    settings = {"truncation": True} if bench.modality == "text" else {}
    worst = 0.0
    for row, mine in zip(rows, ours, strict=True):
        given = modality.present(bench.processor, bench.examples.inputs[row], folder.parent)
        theirs = bench.target.read_pipeline(run(given, top_k=None, **settings), bench.labels)
        worst = max(worst, float(np.abs(theirs - mine).max()))
    return worst


def _predict(bench: Bench, rows: np.ndarray) -> np.ndarray:
    """Return what the whole model predicts in float32, as the pipeline runs it: neither shelf nor bfloat16."""

    def forward(batch: np.ndarray) -> torch.Tensor:
        return call_logits(bench.model, bench.batch(batch))

    predictions: np.ndarray = bench.target.predict(compute_logits(bench.model, forward, rows, bench.lengths))
    return predictions
