"""Detectable: the smallest difference between two arms that each task's folds would find."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from harness import plugins
from harness.judge.cells import build_cell
from harness.judge.stats import count_effective, detectable_difference, detectable_share
from harness.judge.tested import find_tested
from harness.plan import Plan, Study, protocol_of, relate_parts
from harness.record.history import History
from harness.spec.models import Spec

DISCORDANCE = 0.10  # the share of examples that two arms decide differently, where no pilot tells
ALIKE = 0.1  # the correlation that is assumed between examples of one group
MORE = 10  # folds that are held against fewer

Basis = Literal["pilot", "assumed", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detectable:
    """What a task's folds would find with 80 % power at 5 % two-sided, by the corrected resampled t.

    `difference` is in the metric's own unit: None where it is not known, infinite where nothing would be found. On a
    `pilot` it rests on `sd`, the standard deviation of paired fold differences of the run's best trials; `assumed` on
    `discordance` and `effective` examples.
    """

    task: str
    metric: str
    points: bool  # the metric lies between -1 and 1
    basis: Basis
    folds: int
    repeats: int
    difference: float | None = None
    with_more: float | None = None  # what ten folds would find; None: there are ten, or there cannot be
    sd: float | None = None
    discordance: float | None = None
    effective: float | None = None


def find_detectable(
    plan: Plan, history: History, spec: Spec, *, discordance: float = DISCORDANCE
) -> tuple[Detectable, ...]:
    """Return each task's smallest detectable difference: by a pilot where the run has one, else by assumption."""
    return tuple(
        _measure_pilot(plan, history, task) or _assume(plan, spec, task, discordance)
        for task in plan.survey.tasks
        if _studies_of(plan, task)
    )


def _measure_pilot(plan: Plan, history: History, task: str) -> Detectable | None:
    """Return what fold differences of finished arms say; None where no two arms have them, or they never differ."""
    studies = _studies_of(plan, task)
    sd = _pool(_list_spreads(studies, history))
    if not sd:
        return None
    folds, repeats = _count_folds(studies), studies[0].repeats
    more = None
    if _can_have_more(plan, task, folds):
        # A smaller validation part makes a noisier fold.
        wider = sd * math.sqrt(MORE / folds)
        more = detectable_difference(wider, folds=MORE, repeats=repeats)
    return Detectable(
        task=task,
        metric=plan.survey.tasks[task].metric,
        points=_has_points(_find_bounds(plan, task)),
        basis="pilot",
        folds=folds,
        repeats=repeats,
        difference=detectable_difference(
            sd, folds=folds, repeats=repeats, test_over_train=relate_parts(folds, studies[0].part_ratio)
        ),
        with_more=more,
        sd=sd,
    )


def _assume(plan: Plan, spec: Spec, task: str, discordance: float) -> Detectable:
    """Return what the number of examples allows where the metric is a share; unknown for any other."""
    facts, bounds, studies = plan.survey.tasks[task], _find_bounds(plan, task), _studies_of(plan, task)
    folds, repeats = _count_folds(studies), studies[0].repeats
    known = Detectable(
        task=task,
        metric=facts.metric,
        points=_has_points(bounds),
        basis="unknown",
        folds=folds,
        repeats=repeats,
    )
    share = protocol_of(spec, task).test
    if bounds != (0.0, 1.0) or share == "split" or facts.part_ratio is not None:
        return known  # parts that the data make may be of any size
    seen = (1 - share) * count_effective(facts.examples, facts.groups, alike=ALIKE)

    def find(count: int) -> float:
        return detectable_share(seen, discordance=discordance, folds=count, repeats=repeats)

    return Detectable(
        task=task,
        metric=facts.metric,
        points=True,
        basis="assumed",
        folds=folds,
        repeats=repeats,
        difference=find(folds),
        with_more=find(MORE) if _can_have_more(plan, task, folds) else None,
        sd=math.sqrt(discordance / (seen / folds)),
        discordance=discordance,
        effective=seen,
    )


def _list_spreads(studies: Sequence[Study], history: History) -> Iterator[float]:
    """Yield the variance of fold differences of each pair of arms on one backbone."""
    arms: dict[tuple[str, str], list[Study]] = defaultdict(list)
    for study in studies:
        arms[study.backbone, study.arm].append(study)
    scores: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for (backbone, _), own in arms.items():
        if found := _score_folds(own, history):
            scores[backbone].append(found)
    for folds in scores.values():
        for first, second in combinations(folds, 2):
            differences = np.subtract(first, second)
            differences = differences[np.isfinite(differences)]
            if len(differences) > 1:
                yield float(differences.var(ddof=1))


def _score_folds(studies: Sequence[Study], history: History) -> tuple[float, ...]:
    """Return the scores of an arm's best trial; of a nested protocol those of the winners on the outer folds."""
    records = [history.of(study.id) for study in studies]
    searches = [
        build_cell(study, own, None, lambda fold: None) for study, own in zip(studies, records, strict=True)
    ]
    if studies[0].outer_fold is None:
        return searches[0].fold_scores
    tested = [find_tested(own, search.trial) for own, search in zip(records, searches, strict=True)]
    tests = [record.test for record in tested if record is not None]
    scores = [test.valid_score for test in tests if test is not None and test.valid_score is not None]
    return tuple(scores) if len(scores) == len(studies) else ()


def _count_folds(studies: Sequence[Study]) -> int:
    """Return on how many folds arms are compared: of a nested protocol the outer ones."""
    outer = {study.outer_fold for study in studies}
    return studies[0].folds if None in outer else len(outer)


def _pool(variances: Iterator[float]) -> float:
    found = list(variances)
    return math.sqrt(math.fsum(found) / len(found)) if found else 0.0


def _studies_of(plan: Plan, task: str) -> list[Study]:
    return [study for study in plan.studies if study.task == task and study.kind == "arm"]


def _can_have_more(plan: Plan, task: str, folds: int) -> bool:
    facts = plan.survey.tasks[task]
    if facts.part_ratio is not None:
        return False  # the data make the folds
    return folds < MORE <= (facts.examples if facts.groups is None else facts.groups)


def _has_points(bounds: tuple[float, float]) -> bool:
    return bounds[0] >= -1 and bounds[1] <= 1


def _find_bounds(plan: Plan, task: str) -> tuple[float, float]:
    metric = plan.survey.tasks[task].metric
    if metric not in plugins.names("metrics"):  # a plug-in's, which this process was not told of
        return (-math.inf, math.inf)
    bounds: tuple[float, float] = plugins.find("metrics", metric).BOUNDS
    return bounds
