"""One cell of a comparison: a study's best trial and what its folds say."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from harness.judge.by_depth import score_depths
from harness.judge.case import Case
from harness.judge.cheaper import find_cheaper
from harness.judge.comparison import Bagged, Cell, TrialCounts
from harness.judge.components import find_components
from harness.judge.evidence import Measure, Read
from harness.judge.further import add_further
from harness.judge.learning import trace_learning
from harness.judge.memory import Memory
from harness.judge.stats import BBC, summarise_bags
from harness.judge.tested import add_test, bootstrap
from harness.judge.whole import Whole, fill_unknown, find_whole, keep_finite, mean_known
from harness.plan import Study
from harness.record.history import TrialRecord
from harness.record.means import mean_score, order_trial


def build_cell(
    study: Study,
    trials: Sequence[TrialRecord],
    measure: Measure | None,
    read: Read,
    memory: Memory | None = None,
) -> Cell:
    """Return the cell of a study, given its trials; without `measure` or predictions nothing is corrected.

    What `memory` knows is not computed again (None: it knows nothing).
    """
    whole = [found for record in trials if (found := find_whole(study, record))]
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
    upward = study.higher_is_better
    whole.sort(key=lambda trial: order_trial(trial.record.trial, trial.folds, higher_is_better=upward))
    scored = add_further(_score(cell, whole, study, measure, read, memory or Memory()), measure)
    curved = _add_curve(scored, trials, study)
    detailed = replace(curved, depths=score_depths(whole, study), components=find_components(whole, study))
    return add_test(detailed, trials, study, measure, read)


def _score(
    cell: Cell, whole: Sequence[Whole], study: Study, measure: Measure | None, read: Read, memory: Memory
) -> Cell:
    """Return the cell with its score: corrected, as far as there is anything to correct it with."""
    if measure is None:
        return _average(
            cell, whole[0], study, "this process does not know its metric: give the run's --plugins"
        )
    case = Case(whole, study, measure, read, memory)
    if not case.readable:
        return _average(cell, whole[0], study, "its predictions cannot be read")
    return _correct(cell, whole, case, study, measure)


def _add_curve(cell: Cell, trials: Sequence[TrialRecord], study: Study) -> Cell:
    """Return the cell with the learning curve of its best trial."""
    best = next((record for record in trials if record.trial == cell.trial), None)
    curve = None if best is None else trace_learning(study, best)
    if curve is None:
        return cell
    return replace(cell, learning_curve=curve, note="; ".join(filter(None, (cell.note, curve.note))))


def _correct(cell: Cell, whole: Sequence[Whole], case: Case, study: Study, measure: Measure) -> Cell:
    """Return the cell with the bias-corrected score of the study's best trial; of a tie the preferred one is best."""
    bagged = case.bag(range(len(whole)))
    if bagged.chosen < 0:
        return replace(cell, note="the metric is undefined on the predictions of every trial")
    best = _choose_confirmed(whole, study) or whole[bagged.chosen]
    described = replace(
        _describe_choice(cell, whole, best, case, bagged, study),
        deploy=find_cheaper(whole, best, case, bagged, study),
        bagged=_keep_bags(bagged, whole),
        frozen=_bag_some(whole, case, bagged, of=lambda trial: not _trains(trial, study)),
        tuned=_bag_some(whole, case, bagged, of=lambda trial: _trains(trial, study)),
    )
    direction = 1 if study.higher_is_better else -1
    if len(whole) > 1 and math.isfinite(bagged.estimate):
        return replace(
            described,
            score=bagged.estimate,
            low=bagged.low,
            high=bagged.high,
            raw_best=bagged.raw_best,
            optimism=direction * (bagged.raw_best - bagged.estimate),
        )
    alone = len(whole) == 1
    interval = summarise_bags(bagged.inside) if alone else bootstrap(case.show(bagged.chosen), measure)
    return replace(
        described,
        score=bagged.raw_best,
        low=keep_finite(interval.low),
        high=keep_finite(interval.high),
        raw_best=bagged.raw_best,
        optimism=0.0,
    )


def _describe_choice(
    cell: Cell, whole: Sequence[Whole], best: Whole, case: Case, bagged: BBC, study: Study
) -> Cell:
    """Return the cell with all that is known of the trial that won, by confirmation where there was one."""
    described = replace(_describe(cell, best, study), evidence=case.show(whole.index(best)))
    if best is whole[bagged.chosen]:
        return described
    told = (
        f"trial {best.record.trial} won the confirmation; the score is that of choosing by the search alone"
    )
    return replace(described, note="; ".join(filter(None, (described.note, told))))


def _choose_confirmed(whole: Sequence[Whole], study: Study) -> Whole | None:
    """Return the confirmed trial with the best mean over all of its folds, None where none is confirmed."""
    if study.confirm is None:
        return None
    needed = study.confirm.repeats * study.folds
    confirmed = [trial for trial in whole if len(trial.further) >= needed]
    sign = 1 if study.higher_is_better else -1
    means = [mean_score((*trial.folds, *trial.further)) for trial in confirmed]
    ranked = [sign * mean if mean is not None else -math.inf for mean in means]
    return confirmed[int(np.argmax(ranked))] if confirmed else None


def _trains(trial: Whole, study: Study) -> bool:
    """Say whether a trial trains any block."""
    candidate = trial.record.candidate
    return candidate is not None and candidate.freeze_depth < study.blocks


def _bag_some(
    whole: Sequence[Whole], case: Case, bagged: BBC, *, of: Callable[[Whole], bool]
) -> Bagged | None:
    """Return the bags of some of a study's trials, None where it has none of them."""
    places = [place for place, trial in enumerate(whole) if of(trial)]
    if not places:
        return None
    if len(places) == len(whole):
        return _keep_bags(bagged, whole)
    return _keep_bags(case.bag(places), [whole[place] for place in places])


def _keep_bags(bagged: BBC, whole: Sequence[Whole]) -> Bagged:
    candidates = [trial.record.candidate for trial in whole]
    depths = np.array([-1 if each is None else each.freeze_depth for each in candidates])
    picked = bagged.picked.astype(np.int64)
    return Bagged(
        inside=bagged.inside,
        outside=bagged.outside,
        depth=np.where(picked < 0, -1, depths[picked]),
    )


def _average(cell: Cell, best: Whole, study: Study, reason: str) -> Cell:
    """Return the cell with the mean of the best trial's folds: nothing but the ledger is left to judge by."""
    described = _describe(cell, best, study)
    note = "; ".join(filter(None, (described.note, f"{reason}: the mean over folds, not corrected")))
    return replace(described, score=best.mean, raw_best=best.mean, note=note)


def _describe(cell: Cell, best: Whole, study: Study) -> Cell:
    """Return the cell with all that is known of its best trial but the score."""
    train = mean_known([fold.train_score for fold in best.folds])
    direction = 1 if study.higher_is_better else -1
    candidate = best.record.candidate
    return replace(
        cell,
        train_score=train,
        gap=None if train is None else direction * (train - best.mean),
        fold_gaps=tuple(
            direction * (fill_unknown(fold.train_score) - fill_unknown(fold.valid_score))
            for fold in best.folds
        ),
        fold_scores=tuple(fill_unknown(fold.valid_score) for fold in best.folds),
        fold_sd=float(np.std(best.scores, ddof=1)) if len(best.scores) > 1 else None,
        depth=None if candidate is None else candidate.freeze_depth,
        trainable_parameters=best.parameters,
        fit_s=mean_known([fold.fit_s for fold in best.folds]),
        trial=best.record.trial,
        candidate=candidate,
        note=_remark(cell, study),
    )


def _remark(cell: Cell, study: Study) -> str:
    """Return what a reader of the score must know besides."""
    trials = cell.trials
    counts = ((trials.pruned, "pruned"), (trials.failed, "failed"))
    left_out = " and ".join(f"{count} {state}" for count, state in counts if count)
    if not left_out or study.kind == "baseline":
        return ""
    return f"{left_out} of {trials.ok + trials.pruned + trials.failed} trials, not in the score"


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
