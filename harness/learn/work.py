"""The work of a worker: a fold job becomes a fold score."""

from __future__ import annotations

import resource
import socket
import sys
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from harness import plugins
from harness.candidate import Candidate
from harness.errors import DataError, HarnessError
from harness.learn.baselines import FITS, Split, split_inside
from harness.learn.bench import Bench
from harness.learn.fit import Fitted, Seeds, choose_epochs, fit_candidate, measure_loss, start_passes
from harness.learn.folds import list_training
from harness.learn.fractions import cut_training
from harness.learn.loop import Diverged, OutOfMemory, Passes, compute_logits, repeat_smaller
from harness.learn.opening import open_bench
from harness.learn.seeds import Purpose
from harness.learn.sources import Source, task_type
from harness.model.memory import first_line, is_out_of_memory, release_memory, uses_gpu
from harness.record.faults import fault_path
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
        """Return what one fold came to; divergence, lack of memory, unfit data and bugs are states of it.

        Raises `HarnessError` where the bench cannot be opened; folds of other benches may go on.
        """
        blank = FoldScore(
            study=job.study,
            trial=job.trial,
            repeat=job.repeat,
            fold=job.fold,
            fraction=job.fraction,
            outer_fold=job.outer_fold,
            state="error",
            freeze_depth=job.candidate.freeze_depth if job.candidate else None,
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            host=socket.gethostname(),
        )
        wall, cpu = time.perf_counter(), time.process_time()
        if uses_gpu():
            torch.cuda.reset_peak_memory_stats()
        score = self._answer(job, blank)
        if score.state == "oom":
            release_memory()
        return replace(
            score,
            fit_s=time.perf_counter() - wall,
            cpu_s=time.process_time() - cpu,
            peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT,
            peak_gpu_bytes=torch.cuda.max_memory_allocated() if uses_gpu() else None,
        )

    def _answer(self, job: FoldJob, blank: FoldScore) -> FoldScore:
        make_room = partial(self._close_others, job.task, job.backbone)
        try:
            bench = self._open(job.task, job.backbone, make_room)
            return _score_fold(bench, job, self._metrics(job.task), blank, make_room)
        except HarnessError:
            raise
        except Exception as fault:  # noqa: BLE001  # a fold's fault must not end the suite; all of it is recorded
            if is_out_of_memory(fault):
                return replace(blank, state="oom", error=first_line(fault))
            error = f"{type(fault).__name__}: {first_line(fault)} (traceback: {fault_path(job.key)})"
            return replace(blank, state="error", error=error, traceback=traceback.format_exc())

    def _open(self, task: str, backbone: str, make_room: Callable[[], None]) -> Bench:
        key = (task, backbone)
        if key not in self._benches:
            while len(self._benches) >= WARM_BENCHES:
                self._benches.popitem(last=False)
            self._benches[key] = self._open_anew(task, backbone, make_room)
        self._benches.move_to_end(key)
        return self._benches[key]

    def _open_anew(self, task: str, backbone: str, make_room: Callable[[], None]) -> Bench:
        """Return a new bench, where memory does not suffice in the place of all others."""
        try:
            return open_bench(self._source, task, backbone)
        except (MemoryError, RuntimeError) as fault:
            if not is_out_of_memory(fault):
                raise
        make_room()
        return open_bench(self._source, task, backbone)

    def _close_others(self, task: str, backbone: str) -> None:
        """Let go of all benches but one, and of what nothing refers to any more."""
        for key in set(self._benches) - {(task, backbone)}:
            del self._benches[key]
        release_memory()

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


def _score_fold(
    bench: Bench,
    job: FoldJob,
    metrics: tuple[str, ...],
    blank: FoldScore,
    make_room: Callable[[], None] = release_memory,
) -> FoldScore:
    try:
        return _measure_fold(bench, job, metrics, blank, make_room)
    except Diverged as outcome:
        return replace(blank, state="diverged", error=str(outcome))
    except OutOfMemory as outcome:
        return replace(blank, state="oom", error=str(outcome))
    except HarnessError as fault:  # of this fit alone, on a bench that is open
        return replace(blank, state="error", error=str(fault))


def _measure_fold(
    bench: Bench, job: FoldJob, metrics: tuple[str, ...], blank: FoldScore, make_room: Callable[[], None]
) -> FoldScore:
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
        outcome, score = _run_candidate(bench, job, split, score, make_room)
    values = {name: _measure(bench, name, outcome.valid, split.valid) for name in metrics}
    train_score = _measure(bench, metrics[0], outcome.train, split.train)
    _refuse_infinite(metrics[0], {"fold": values[metrics[0]], "training part": train_score})
    return replace(
        score,
        train_score=train_score,
        valid_score=values[metrics[0]],
        train_loss=outcome.train_loss,
        valid_loss=outcome.valid_loss,
        metrics=tuple(values.items()),
        predictions=_collect_predictions(bench, outcome.valid, split.valid),
    )


def _refuse_infinite(metric: str, values: Mapping[str, float]) -> None:
    """Raise `Diverged` for an infinite score. One that is not a number stays: it says that the metric is undefined."""
    for part, value in values.items():
        if np.isinf(value):
            raise Diverged(f"the metric '{metric}' is not finite on the {part} ({value})")


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
    outcome = _Outcome(train=predict(split.train), valid=predict(split.valid))
    _refuse_broken("predictions not finite", outcome.train, outcome.valid)
    return outcome


def _run_candidate(
    bench: Bench, job: FoldJob, split: Split, score: FoldScore, make_room: Callable[[], None]
) -> tuple[_Outcome, FoldScore]:
    candidate = job.candidate
    assert candidate is not None
    seeds = _derive_seeds(bench, job)
    learned = repeat_smaller(
        partial(_learn, bench, candidate, split, seeds),
        start_passes(bench, candidate),
        batch_size=min(candidate.batch_size, len(split.train)),
        make_room=make_room,
    )
    train, valid = learned.train, learned.valid
    outcome = _Outcome(
        train=bench.target.predict(train),
        valid=bench.target.predict(valid),
        train_loss=measure_loss(bench, train, split.train),
        valid_loss=measure_loss(bench, valid, split.valid),
    )
    fitted = learned.fitted
    return outcome, replace(
        score,
        freeze_depth=candidate.freeze_depth,
        seed=seeds.dropout,
        epochs=fitted.trained.epochs,
        steps=fitted.trained.steps,
        micro_batch=learned.micro_batch,
        precision=bench.precision,
        trainable_parameters=fitted.trainable_parameters,
        shelf_hit=learned.shelf_hit,
        frozen_proof=fitted.frozen_proof,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Learned:
    """A fit that was asked already, and the logits that it gave."""

    fitted: Fitted
    train: np.ndarray
    valid: np.ndarray
    micro_batch: int | None  # examples of one pass; None: the whole batch
    shelf_hit: bool | None  # None: it does not use the shelf


def _learn(bench: Bench, candidate: Candidate, split: Split, seeds: Seeds, passes: Passes) -> _Learned:
    if candidate.patience is not None:
        inner = _hold_out(bench, split, candidate.stopping_share)
        epochs = choose_epochs(bench, candidate, split.train, inner, seeds, passes=passes)
        candidate = replace(candidate, epochs=epochs, patience=None)
    shelved = seeds.network is None and bench.uses_shelf(candidate.freeze_depth)
    hit = bench.on_shelf(candidate.freeze_depth) if shelved else None
    with fit_candidate(bench, candidate, split.train, seeds, passes=passes) as fitted:
        train = compute_logits(bench.model, fitted.forward, split.train, bench.lengths)
        valid = compute_logits(bench.model, fitted.forward, split.valid, bench.lengths)
    _refuse_broken(f"predictions not finite after {fitted.trained.steps} steps", train, valid)
    return _Learned(fitted=fitted, train=train, valid=valid, micro_batch=passes.most, shelf_hit=hit)


def _refuse_broken(message: str, *outputs: np.ndarray) -> None:
    """Raise `Diverged` with the message where a number of the outputs is not finite."""
    if not all(np.isfinite(output).all() for output in outputs):
        raise Diverged(message)


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
