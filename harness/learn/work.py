"""The work of a worker: a fold job becomes a fold score."""

from __future__ import annotations

import resource
import socket
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from harness import plugins
from harness.errors import DataError, HarnessError
from harness.learn.baselines import FITS, Split, split_inside
from harness.learn.bench import Bench
from harness.learn.fit import Seeds, choose_epochs, fit_candidate, measure_loss
from harness.learn.folds import list_training
from harness.learn.fractions import cut_training
from harness.learn.loop import Diverged, compute_logits
from harness.learn.opening import open_bench
from harness.learn.seeds import Purpose
from harness.learn.sources import Source, task_type
from harness.record.scores import FoldJob, FoldScore, Predictions

STOPPING_FOLDS = 20  # of the training part: early stopping's share is a number of these
RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes, in which the system counts resident memory
WARM_BENCHES = 2  # a bench holds a model and its encoded data; a suite goes through its tasks in turn


def open_scorer(source: Source, threads: int) -> Callable[[FoldJob], FoldScore]:
    """Return the function that scores folds; it keeps benches warm, so a worker calls this once."""
    torch.set_num_threads(threads)
    threadpool_limits(threads)  # BLAS spins on every core: TF-IDF on 400 tweets took 27 s instead of 3
    return _Scorer(source).score


class _Scorer:
    """Scores folds on benches that stay open."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._spec = source.spec()
        self._benches: OrderedDict[tuple[str, str], Bench] = OrderedDict()

    def score(self, job: FoldJob) -> FoldScore:
        """Return what one fold came to; divergence, lack of memory and unfit data are states of it.

        Raises `HarnessError` where the bench cannot be opened, which no other fold can do either.
        """
        blank = FoldScore(
            study=job.study,
            trial=job.trial,
            repeat=job.repeat,
            fold=job.fold,
            fraction=job.fraction,
            outer_fold=job.outer_fold,
            state="error",
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            host=socket.gethostname(),
        )
        bench = self._open(job.task, job.backbone)
        metrics = self._metrics(job.task)
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            score = _score_fold(bench, job, metrics, blank)
        except Diverged as outcome:
            score = replace(blank, state="diverged", error=str(outcome))
        except HarnessError as fault:  # of this fit alone; what a bench cannot be opened for ends the run
            score = replace(blank, state="error", error=str(fault))
        except (MemoryError, RuntimeError) as fault:
            if not _is_out_of_memory(fault):
                raise
            score = replace(blank, state="oom", error=str(fault).strip().splitlines()[0])
        return replace(
            score,
            fit_s=time.perf_counter() - wall,
            cpu_s=time.process_time() - cpu,
            peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT,
        )

    def _open(self, task: str, backbone: str) -> Bench:
        key = (task, backbone)
        if key not in self._benches:
            while len(self._benches) >= WARM_BENCHES:
                self._benches.popitem(last=False)
            self._benches[key] = open_bench(self._source, task, backbone)
        self._benches.move_to_end(key)
        return self._benches[key]

    def _metrics(self, task: str) -> tuple[str, ...]:
        wanted = self._spec.tasks[task]
        primary = wanted.metric or task_type(self._spec, task).METRIC
        return tuple(dict.fromkeys((primary, *wanted.metrics)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What a fit says of the rows it learned from and of those held out."""

    train: np.ndarray  # predictions
    valid: np.ndarray
    train_loss: float | None = None
    valid_loss: float | None = None


def _score_fold(bench: Bench, job: FoldJob, metrics: tuple[str, ...], blank: FoldScore) -> FoldScore:
    split = _split_rows(bench, job)
    score = replace(
        blank,
        state="ok",
        blocks=bench.trunk.blocks,
        n_train=len(split.train),
        metric=metrics[0],
    )
    if job.candidate is None:
        outcome = _run_baseline(bench, job, split)
        score = replace(score, trainable_parameters=0)
    else:
        outcome, score = _run_candidate(bench, job, split, score)
    values = {name: _measure(bench, name, outcome.valid, split.valid) for name in metrics}
    return replace(
        score,
        train_score=_measure(bench, metrics[0], outcome.train, split.train),
        valid_score=values[metrics[0]],
        train_loss=outcome.train_loss,
        valid_loss=outcome.valid_loss,
        metrics=tuple(values.items()),
        predictions=_collect_predictions(bench, outcome.valid, split.valid),
    )


def _split_rows(bench: Bench, job: FoldJob) -> Split:
    """Return the rows of a job's fold, its training part cut down where the job says so."""
    place = bench.split(job.repeat, job.outer_fold)
    train = list_training(place, job.fold, folds=bench.protocol.folds, kin=bench.kin)
    bench.target.check_training(bench.targets[train], bench.labels, folds=bench.protocol.folds)
    if job.fraction < 1:
        train = cut_training(bench, train, repeat=job.repeat, fold=job.fold, fraction=job.fraction)
    valid = np.flatnonzero(place == job.fold)
    return Split(train=train, valid=valid, repeat=job.repeat, fold=job.fold)


def _run_baseline(bench: Bench, job: FoldJob, split: Split) -> _Outcome:
    predict = FITS[job.arm](bench, split)
    return _Outcome(train=predict(split.train), valid=predict(split.valid))


def _run_candidate(bench: Bench, job: FoldJob, split: Split, score: FoldScore) -> tuple[_Outcome, FoldScore]:
    candidate = job.candidate
    assert candidate is not None
    seeds = _derive_seeds(bench, job)
    if candidate.patience is not None:
        inner = _hold_out(bench, split, candidate.stopping_share)
        epochs = choose_epochs(bench, candidate, split.train, inner, seeds)
        candidate = replace(candidate, epochs=epochs, patience=None)
    shelved = seeds.network is None and bench.uses_shelf(candidate.freeze_depth)
    hit = bench.on_shelf(candidate.freeze_depth) if shelved else None
    with fit_candidate(bench, candidate, split.train, seeds) as fitted:
        train = compute_logits(bench.model, fitted.forward, split.train, bench.lengths)
        valid = compute_logits(bench.model, fitted.forward, split.valid, bench.lengths)
    outcome = _Outcome(
        train=bench.target.predict(train),
        valid=bench.target.predict(valid),
        train_loss=measure_loss(bench, train, split.train),
        valid_loss=measure_loss(bench, valid, split.valid),
    )
    if not (np.isfinite(train).all() and np.isfinite(valid).all()):
        raise Diverged(f"predictions not finite after {fitted.trained.steps} steps")
    return outcome, replace(
        score,
        freeze_depth=candidate.freeze_depth,
        seed=seeds.dropout,
        epochs=fitted.trained.epochs,
        steps=fitted.trained.steps,
        trainable_parameters=fitted.trainable_parameters,
        shelf_hit=hit,
        frozen_proof=fitted.frozen_proof,
    )


def _hold_out(bench: Bench, split: Split, share: float) -> np.ndarray:
    """Mark the share of the training part that chooses the epochs, (training rows,) bool, in whole groups."""
    inner = split_inside(bench, split, folds=STOPPING_FOLDS, purpose=Purpose.STOPPING)
    folds = int(inner.max()) + 1
    if folds == 1:
        raise DataError(
            "early stopping needs two groups in every training part: use more groups or no early_stopping"
        )
    chosen: np.ndarray = inner < min(max(1, round(share * folds)), folds - 1)
    return chosen


def _derive_seeds(bench: Bench, job: FoldJob) -> Seeds:
    numbers = [job.repeat, job.fold, *([] if job.outer_fold is None else [job.outer_fold])]
    return Seeds(
        head=bench.derive_seed(Purpose.HEAD, *numbers),
        order=bench.derive_seed(Purpose.ORDER, *numbers),
        dropout=bench.derive_seed(Purpose.DROPOUT, job.repeat, job.fold, int(job.study, 16), job.trial),
        network=bench.derive_seed(Purpose.NETWORK, *numbers) if job.kind == "control" else None,
    )


def _measure(bench: Bench, metric: str, predictions: np.ndarray, rows: np.ndarray) -> float:
    weights = bench.weights[rows]
    value: float = plugins.find("metrics", metric).score(predictions, bench.targets[rows], weights)
    return value


def _collect_predictions(bench: Bench, predictions: np.ndarray, rows: np.ndarray) -> Predictions:
    examples, clusters = bench.examples, bench.clusters
    return Predictions(
        ids=tuple(examples.ids[row] for row in rows),
        groups=None if examples.groups is None else tuple(examples.groups[row] for row in rows),
        clusters=None if clusters is None else tuple(clusters[row] for row in rows),
        targets=bench.target.spell(bench.targets[rows], bench.labels),
        values=bench.target.read_values(predictions, bench.labels),
        weights=None if examples.weights is None else tuple(bench.weights[rows].tolist()),
        labels=bench.labels,
        probabilities=bench.target.read_probabilities(predictions),
    )


def _is_out_of_memory(fault: Exception) -> bool:
    """Say so of a GPU's error and of a CPU's, which is a plain RuntimeError."""
    return isinstance(fault, (MemoryError, torch.cuda.OutOfMemoryError)) or "can't allocate memory" in str(
        fault
    )
