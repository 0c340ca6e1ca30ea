"""The cell of a nested protocol: what the winners of all outer folds say of the folds that they never saw."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median_low

import numpy as np

from harness.judge.bags import run_bags
from harness.judge.comparison import Bagged, Cell, TrialCounts
from harness.judge.evidence import Measure, Read, gather_evidence
from harness.judge.further import add_further
from harness.judge.stats import BBC, summarise_bags
from harness.judge.tested import find_tested
from harness.judge.whole import fill_unknown, keep_finite, mean_known
from harness.plan import Study
from harness.record.history import TrialRecord
from harness.record.scores import FoldScore


def build_nested_cell(
    studies: Sequence[Study],
    searches: Sequence[Cell],
    trials: Mapping[str, Sequence[TrialRecord]],
    measure: Measure | None,
    read: Read,
) -> Cell:
    """Return one cell for all outer folds of an arm, given the cell of the search in each.

    No trial was chosen on what scores it, so the score is the metric on the pooled predictions of the outer folds, with
    a bootstrap interval. `raw_best` is the mean of what the searches say of their own winners, and `optimism` what that
    flatters: Varma & Simon, "Bias in error estimation when using cross-validation for model selection", BMC
    Bioinformatics 7:91 (2006).
    """
    cell = _sum_up(searches)
    winners = [find_tested(trials.get(search.study, ()), search.trial) for search in searches]
    tests = [record.test for record in winners if record is not None and record.test is not None]
    if len(tests) < len(studies):
        return replace(cell, note=_explain_missing(len(tests), searches, trials))
    if measure is None:
        return replace(cell, note="this process does not know its metric: give the run's --plugins")
    told = [record for record in winners if record is not None]
    pooled = replace(told[0], folds=tuple(tests))
    evidence = gather_evidence([pooled], repeat=0, read=read, target=measure.target)
    if evidence is None:
        return replace(cell, note="its predictions cannot be read")
    bagged = run_bags(evidence, measure, evidence.predictions, higher_is_better=studies[0].higher_is_better)
    described = replace(_describe(cell, told, tests, studies[0]), note=_remark(searches, told))
    scored = replace(_score(described, told, searches, bagged, studies[0]), evidence=evidence)
    return add_further(scored, measure)


def _sum_up(searches: Sequence[Cell]) -> Cell:
    """Return a cell without a score: what it is, and how many trials all searches had."""
    first = searches[0]
    return Cell(
        study=first.study,
        task=first.task,
        backbone=first.backbone,
        arm=first.arm,
        kind=first.kind,
        blocks=first.blocks,
        trials=TrialCounts(
            ok=sum(search.trials.ok for search in searches),
            pruned=sum(search.trials.pruned for search in searches),
            failed=sum(search.trials.failed for search in searches),
        ),
    )


def _explain_missing(
    scored: int, searches: Sequence[Cell], trials: Mapping[str, Sequence[TrialRecord]]
) -> str:
    """Say how many outer folds are scored and why no more: a search or a fit that failed, or the budget ended."""
    tests = [record.test for search in searches for record in trials.get(search.study, ()) if record.test]
    reasons = [test.error or test.state for test in tests if test.state != "ok"]
    reasons += [search.note for search in searches if search.score is None and search.note]
    because = reasons[0] if reasons else "the same command scores the others when all searches have ended"
    return f"{scored} of {len(searches)} outer folds are scored: {because}"


def _remark(searches: Sequence[Cell], winners: Sequence[TrialRecord]) -> str:
    """Return what a reader of the score must know: what the winners freeze, and whether they are the winners still."""
    depths = [record.candidate.freeze_depth for record in winners if record.candidate is not None]
    former = sum(record.trial != search.trial for search, record in zip(searches, winners, strict=True))
    told = [f"the winners of the outer folds freeze {', '.join(map(str, depths))} blocks"] if depths else []
    if former:
        told.append(
            f"{former} of {len(searches)} outer folds were scored by a former winner: --reopen-test scores the new one"
        )
    return "; ".join(told)


def _describe(cell: Cell, winners: Sequence[TrialRecord], tests: Sequence[FoldScore], study: Study) -> Cell:
    """Return the cell with what is known of the winners of the outer folds, but the score."""
    sign = 1 if study.higher_is_better else -1
    scores = [fill_unknown(test.valid_score) for test in tests]
    gaps = [
        sign * (fill_unknown(test.train_score) - score) for test, score in zip(tests, scores, strict=True)
    ]
    depths = [record.candidate.freeze_depth for record in winners if record.candidate is not None]
    counts = [test.trainable_parameters for test in tests if test.trainable_parameters is not None]
    known = [score for score in scores if math.isfinite(score)]
    return replace(
        cell,
        train_score=mean_known([test.train_score for test in tests]),
        gap=mean_known(gaps),
        fold_gaps=tuple(gaps),
        fold_scores=tuple(scores),
        fold_sd=float(np.std(known, ddof=1)) if len(known) > 1 else None,
        depth=median_low(depths) if depths else None,
        trainable_parameters=median_low(counts) if counts else None,
        fit_s=mean_known([test.fit_s for test in tests]),
    )


def _score(
    cell: Cell, winners: Sequence[TrialRecord], searches: Sequence[Cell], pooled: BBC, study: Study
) -> Cell:
    sign = 1 if study.higher_is_better else -1
    interval = summarise_bags(pooled.inside)
    score, raw_best = keep_finite(pooled.raw_best), mean_known([search.raw_best for search in searches])
    # No bag chooses a trial here: each outer fold has its own.
    bagged = Bagged(inside=pooled.inside, outside=pooled.outside, depth=np.full(pooled.inside.shape, -1))
    depths = [record.candidate.freeze_depth for record in winners if record.candidate is not None]
    trains = {depth < cell.blocks for depth in depths} or {False}  # a baseline trains none
    return replace(
        cell,
        score=score,
        low=keep_finite(interval.low),
        high=keep_finite(interval.high),
        raw_best=raw_best,
        optimism=None if score is None or raw_best is None else sign * (raw_best - score),
        bagged=bagged,
        # Winners that train blocks in some outer folds alone belong to neither side of "does fine-tuning pay?".
        frozen=bagged if trains == {False} else None,
        tuned=bagged if trains == {True} else None,
    )
