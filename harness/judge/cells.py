"""One cell of a comparison: a study's best trial and what its folds say."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.judge.comparison import Cell, TrialCounts
from harness.judge.stats import corrected_resampled_t
from harness.plan import Study
from harness.record.history import TrialRecord
from harness.record.means import mean_score
from harness.record.scores import FoldScore


@dataclass(frozen=True, slots=True, kw_only=True)
class _Whole:
    """A complete trial: all of its folds, and the scores of those on which the metric is defined."""

    record: TrialRecord
    folds: tuple[FoldScore, ...]
    scores: tuple[float, ...]
    mean: float
    parameters: int | None


def build_cell(study: Study, trials: Sequence[TrialRecord], bounds: tuple[float, float]) -> Cell:
    """Return the cell of a study, given its trials and the ends of its metric's range."""
    whole = [found for record in trials if (found := _complete(study, record))]
    cell = Cell(
        study=study.id,
        task=study.task,
        backbone=study.backbone,
        arm=study.arm,
        kind=study.kind,
        blocks=study.blocks,
        trials=_count(trials),
    )
    if not whole:
        return replace(cell, note=_explain_missing(study, trials))
    best = min(whole, key=lambda trial: _preference(trial, higher_is_better=study.higher_is_better))
    return _fill(cell, best, study, bounds)


def _complete(study: Study, record: TrialRecord) -> _Whole | None:
    """Return a trial that has every fold of every repeat and a score, None for any other."""
    if record.state != "complete":
        return None
    fitted = {fold.key: fold for fold in record.folds if fold.state == "ok" and fold.valid_score is not None}
    folds = tuple(fitted[key] for key in sorted(fitted))
    mean = mean_score(folds)
    if len(folds) < study.folds * study.repeats or mean is None or not math.isfinite(mean):
        return None
    counts = [fold.trainable_parameters for fold in folds if fold.trainable_parameters is not None]
    scores = (fold.valid_score for fold in folds if fold.valid_score is not None)
    return _Whole(
        record=record,
        folds=folds,
        scores=tuple(score for score in scores if not math.isnan(score)),
        mean=mean,
        parameters=max(counts, default=None),
    )


def _preference(trial: _Whole, *, higher_is_better: bool) -> tuple[int, float, float, int]:
    """Return what orders trials, best first: defined folds, score, fewer trainable parameters, lower number.

    A trial whose metric is undefined on a fold, where another's is not, is not compared on the folds it chose.
    """
    badness = -trial.mean if higher_is_better else trial.mean
    parameters = math.inf if trial.parameters is None else trial.parameters
    # Twelve digits, so that the noise of summing breaks no tie.
    return (-len(trial.scores), float(f"{badness:.12g}"), parameters, trial.record.trial)


def _fill(cell: Cell, best: _Whole, study: Study, bounds: tuple[float, float]) -> Cell:
    train = _mean([fold.train_score for fold in best.folds])
    direction = 1 if study.higher_is_better else -1
    candidate = best.record.candidate
    filled = replace(
        cell,
        score=best.mean,
        raw_best=best.mean,
        train_score=train,
        gap=None if train is None else direction * (train - best.mean),
        depth=None if candidate is None else candidate.freeze_depth,
        trainable_parameters=best.parameters,
        fit_s=_mean([fold.fit_s for fold in best.folds]),
        trial=best.record.trial,
        candidate=candidate,
        note=_remark(cell, best, study),
    )
    if len(best.scores) < 2:
        return filled
    test = corrected_resampled_t(best.scores, test_over_train=1 / (study.folds - 1))
    return replace(
        filled,
        low=max(test.low, bounds[0]),
        high=min(test.high, bounds[1]),
        fold_sd=float(np.std(best.scores, ddof=1)),
    )


def _remark(cell: Cell, best: _Whole, study: Study) -> str:
    """Return what a reader of the score must know besides."""
    trials = cell.trials
    counts = ((trials.pruned, "pruned"), (trials.failed, "failed"))
    left_out = " and ".join(f"{count} {state}" for count, state in counts if count)
    undefined = len(best.folds) - len(best.scores)
    remarks = []
    if left_out and study.kind == "arm":
        remarks.append(f"{left_out} of {trials.ok + trials.pruned + trials.failed} trials, not in the score")
    if undefined:
        remarks.append(f"the metric is undefined on {undefined} of {len(best.folds)} folds, not in the score")
    if len(set(best.scores)) == 1 and len(best.scores) > 1:
        remarks.append("all folds have the same score: an interval without width says nothing")
    return "; ".join(remarks)


def _explain_missing(study: Study, trials: Sequence[TrialRecord]) -> str:
    """Say why a study has no score: what became of its trials, with the commonest reason in their own words."""
    if not trials:
        return "no trial has run yet"
    states = Counter(record.state for record in trials)
    needed = study.folds * study.repeats
    partial = sum(record.state == "complete" and len(record.folds) < needed for record in trials)
    undefined = states["complete"] - partial
    if undefined == len(trials):
        return "the metric is undefined on every fold"
    told = [
        f"{undefined} with a metric that is undefined" if undefined else "",
        f"{partial} without all of its {needed} folds" if partial else "",
        *(f"{states[state]} {state}" for state in ("failed", "pruned", "running") if states[state]),
    ]
    reasons = Counter(record.reason for record in trials if record.state == "failed" and record.reason)
    because = f": {reasons.most_common(1)[0][0]}" if reasons else ""
    return f"no complete trial ({', '.join(filter(None, told))}){because}"


def _count(trials: Sequence[TrialRecord]) -> TrialCounts:
    states = Counter(record.state for record in trials)
    return TrialCounts(ok=states["complete"], pruned=states["pruned"], failed=states["failed"])


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of what is known and defined, None where nothing is."""
    numbers = [value for value in values if value is not None and math.isfinite(value)]
    return math.fsum(numbers) / len(numbers) if numbers else None
