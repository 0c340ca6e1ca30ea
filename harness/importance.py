"""Which searched values matter: weighed once for each state of a study, added to its cell."""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from harness.judge.comparison import Comparison
from harness.plan import Plan, Study
from harness.record.history import History, TrialRecord
from harness.record.importance import Importance, read_importances, write_importances
from harness.record.means import mean_score

FEWEST = 10  # complete trials; with fewer, which values the best ones share is chance


def weigh_arms(plan: Plan, history: History, known: Mapping[str, Importance]) -> Mapping[str, Importance]:
    """Return the importance of every arm's searched values, by study; `known` ones are taken if their trials are these.

    An arm with fewer than ten complete trials, or fewer than two searched values, has none.
    """
    found = {}
    for study in plan.studies:
        trials = _list_scored(study, history)
        if study.space is None or len(study.space.searched()) < 2 or len(trials) < FEWEST:
            continue
        key = _identify(study, trials)
        kept = known.get(study.id)
        if kept is None or kept.key != key:
            kept = Importance(trials=len(trials), shares=_weigh(study, trials), key=key)
        found[study.id] = kept
    return found


def keep_importances(folder: Path, plan: Plan, history: History) -> Mapping[str, Importance]:
    """Return the same for a run, and keep it in the run's folder, where it is looked for first."""
    known = read_importances(folder)
    found = weigh_arms(plan, history, known)
    if found != known:
        write_importances(folder, found)
    return found


def add_importances(comparison: Comparison, plan: Plan, found: Mapping[str, Importance]) -> Comparison:
    """Return the comparison, each arm's cell with the importance of its searched values.

    The searches of a nested protocol's outer folds count alike in the one cell that they have.
    """
    places: dict[tuple[str, str, str], list[Importance]] = defaultdict(list)
    for study in plan.studies:
        if study.id in found:
            places[study.task, study.backbone, study.arm].append(found[study.id])
    cells = (
        replace(cell, importance=_average(places[place]))
        if (place := (cell.task, cell.backbone, cell.arm)) in places
        else cell
        for cell in comparison.cells
    )
    return replace(comparison, cells=tuple(cells))


def _average(found: Sequence[Importance]) -> Importance:
    """Return the mean shares of several searches; one that tells nothing takes no part."""
    telling = [each for each in found if each.shares]
    if len(telling) < 2:
        return telling[0] if telling else found[0]
    sums: dict[str, float] = defaultdict(float)
    for each in telling:
        for name, share in each.shares:
            sums[name] += share / len(telling)
    return Importance(
        trials=sum(each.trials for each in telling),
        shares=tuple(sorted(sums.items(), key=lambda share: (-share[1], share[0]))),
        key="",
    )


def _weigh(study: Study, trials: list[TrialRecord]) -> tuple[tuple[str, float], ...]:
    # Optuna's importances need 2 s of CPU to import: hence what is kept.
    from harness.search.proposals import weigh_values

    return weigh_values(study, trials)


def _list_scored(study: Study, history: History) -> list[TrialRecord]:
    return [record for record in history.of(study.id) if math.isfinite(_score(study, record))]


def _score(study: Study, record: TrialRecord) -> float:
    mean = mean_score(record.search_folds(study.repeats)) if record.state == "complete" else None
    return math.nan if mean is None else mean


def _identify(study: Study, trials: list[TrialRecord]) -> str:
    told = [
        (each.trial, each.candidate.digest() if each.candidate else "", _score(study, each))
        for each in trials
    ]
    # The method is Optuna's, and may change with it.
    return hashlib.sha256(json.dumps([version("optuna"), study.id, told]).encode()).hexdigest()[:16]
