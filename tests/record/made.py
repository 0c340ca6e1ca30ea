"""Made-up trials and folds for a ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from harness.candidate import Candidate
from harness.record.ledger import Ledger
from harness.record.scores import FoldScore, Predictions

CANDIDATE = Candidate(
    method="full", freeze_depth=2, head_lr=1.1e-3, backbone_lr=None, layer_decay=1.0, weight_decay=0.01,
    dropout=None, label_smoothing=0.0, batch_norm="fixed", epochs=3, batch_size=32, warmup=0.1,
    schedule="linear", clip=1.0, patience=2, extras=(("deep", True), ("rank", 8), ("word", "ä")),
)  # fmt: skip


def make_fold(fold: int = 0, *, trial: int = 0, study: str = "s", **changes: object) -> FoldScore:
    """Return a score whose every field holds something, numbers that JSON does not know included."""
    values: dict[str, object] = {
        "state": "ok", "freeze_depth": 2, "blocks": 4, "seed": 2**63 + 5, "n_train": 80, "metric": "auc",
        "train_score": 0.1 + 0.2, "valid_score": 0.7, "train_loss": float("inf"), "valid_loss": -float("inf"),
        "metrics": (("auc", 0.7), ("log-loss", float("inf"))), "epochs": 3, "steps": 9, "fit_s": 1.5,
        "micro_batch": 8, "precision": "bfloat16", "peak_gpu_bytes": 2**34,
        "cpu_s": 2.5, "trainable_parameters": 77, "peak_rss_bytes": 2**33, "shelf_hit": True,
        "frozen_proof": "abc", "started_at": "2026-01-01T00:00:00+00:00", "host": "here",
    }  # fmt: skip
    return FoldScore(study=study, trial=trial, repeat=0, fold=fold, **(values | changes))  # type: ignore[arg-type]


def make_predictions(fold: int = 0) -> Predictions:
    """Return the predictions of two examples."""
    return Predictions(
        ids=(f"{fold}a", f"{fold}b"), groups=("g", "h"), targets=("no", "yes"), values=("yes", "yes"),
        labels=("no", "yes"), probabilities=np.array([[0.25, 0.75], [0.125, 0.875]], dtype=np.float32),
    )  # fmt: skip


def fill_ledger(folder: Path, *, trials: int = 2, folds: int = 2, study: str = "s") -> Iterator[int]:
    """Record complete trials, yielding after each line how many there are."""
    with Ledger.open(folder) as ledger:
        lines = 0
        for trial in range(trials):
            ledger.record_asked(study, trial, CANDIDATE)
            yield (lines := lines + 1)
            for fold in range(folds):
                ledger.record_fold(make_fold(fold, trial=trial, study=study))
                yield (lines := lines + 1)
            ledger.record_end(study, trial, "complete")
            yield (lines := lines + 1)
