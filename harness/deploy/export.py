"""Export: the winner as an ordinary `save_pretrained` folder that `transformers.pipeline` loads."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from transformers import pipeline

from harness.deploy.refit import Refit, Winner, refit_winner
from harness.errors import HarnessError, StorageError
from harness.examples import Input, Media
from harness.learn.bench import Bench
from harness.learn.sources import Source, task_type
from harness.modalities.pictures import decode_picture, encode_picture
from harness.modalities.sounds import decode_sound
from harness.model.load import quietly

PROOF_ROWS = 200
TOLERANCE = 1e-4  # of a probability or a number: other padding, other rounding


class ExportError(HarnessError):
    """What was exported does not predict what was trained: a bug of ours, and the folder is not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """An export that was loaded again and asked."""

    folder: Path
    winner: Winner
    rows: int  # trained on
    proven: int  # rows on which the pipeline predicts what the harness predicts
    difference: float  # the largest between their probabilities or numbers


def export_model(source: Source, winner: Winner, out: Path) -> Exported:
    """Refit the winner on all rows and write `out`: model, processor and label names, proven to load and to agree."""
    if out.exists() and any(out.iterdir()):
        raise StorageError(f"{out}: is not empty; name another folder with --out, or remove it")
    refit = refit_winner(source, winner)
    kind = task_type(source.spec(), winner.task)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch, quietly():
        folder = Path(scratch) / "model"
        refit.bench.model.save_pretrained(folder)  # type: ignore[operator]  # a PreTrainedModel, typed as a Module
        refit.bench.processor.save_pretrained(folder)
        rows = np.linspace(0, len(refit.predictions) - 1, min(PROOF_ROWS, len(refit.predictions))).astype(int)
        difference = _compare_with_pipeline(refit, kind, folder, rows)
        if difference > TOLERANCE:
            raise ExportError(
                f"{out}: the exported pipeline's predictions differ from ours by {difference:.2g}"
            )
        if out.exists():
            out.rmdir()
        folder.replace(out)
    return Exported(
        folder=out, winner=winner, rows=len(refit.predictions), proven=len(rows), difference=difference
    )


def _compare_with_pipeline(refit: Refit, kind: ModuleType, folder: Path, rows: np.ndarray) -> float:
    """Return the largest difference between the loaded pipeline's predictions and ours on some rows."""
    bench = refit.bench
    run: Any = pipeline(kind.PIPELINE, model=str(folder), device="cpu")
    settings = {"truncation": True} if bench.modality == "text" else {}
    worst = 0.0
    for row in rows:
        given = _present(bench, bench.examples.inputs[row], folder.parent)
        answers = run(given, top_k=None, **settings)
        scores = {answer["label"]: answer["score"] for answer in answers}
        ours = refit.predictions[row]
        theirs = (
            np.array([scores[label] for label in bench.labels])
            if bench.labels
            else np.array(list(scores.values()))
        )
        worst = max(worst, float(np.abs(theirs - ours).max()))
    return worst


def _present(bench: Bench, item: Input, scratch: Path) -> object:
    """Return an input as a pipeline takes it."""
    if isinstance(item, str):
        return item
    if isinstance(item, tuple):
        return {"text": item[0], "text_pair": item[1]}
    return _decode(bench, item, scratch)


def _decode(bench: Bench, item: Media, scratch: Path) -> object:
    if bench.modality == "image":
        picture = scratch / "picture.png"
        picture.write_bytes(encode_picture(decode_picture(item)))
        return str(picture)
    rate = bench.processor.sampling_rate
    return {"raw": decode_sound(item, rate=rate), "sampling_rate": rate}
