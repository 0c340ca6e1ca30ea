"""Ranking: mean ranks over blocks, with what a bootstrap says of them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.judge.comparison import SEPARABLE, Ranking, RankRow
from harness.judge.ranking_test import RankingTest, examine_ranks
from harness.judge.stats import holm
from harness.judge.stats.ranks import rank_values

TASKS_TO_RESAMPLE = 6  # fewer tasks say too little of the tasks that were not tried
BAGS = 10_000
TIERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

Block = tuple[str, str]  # a cluster that is drawn as one, and a part of it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """A method's score in one block, higher being better; None: it has none."""

    value: float | None
    bags: np.ndarray | None = None  # (bags,) scores outside bags of examples, the same bags for a whole block

    @classmethod
    def of(cls, score: float | None, sign: int, bags: np.ndarray | None = None) -> Scored:
        """Return a score in a metric's own direction, `sign` being 1 where higher is better and -1 elsewhere."""
        if score is None or not math.isfinite(score):
            return cls(value=None)
        return cls(value=sign * score, bags=None if bags is None else sign * bags)


def rank_blocks(blocks: Mapping[Block, Mapping[str, Scored]], *, words: tuple[str, str]) -> Ranking:
    """Rank within each block, then average over those in which every method has a score.

    `words` call a cluster and a method in the notes.
    """
    methods = tuple(dict.fromkeys(method for block in blocks.values() for method in block))
    whole, lacking = _leave_out(blocks, methods)
    if not whole:
        rows = [RankRow(arm=method, mean_rank=None) for method in methods]
        return Ranking(rows=tuple(rows), blocks=0, notes=tuple(_notes(lacking, whole, words=words)))
    ranks = {name: rank_values([-(each.value or 0.0) for each in block]) for name, block in whole.items()}
    drawn = _resample(whole, ranks)  # (draws, methods)
    means = np.mean(list(ranks.values()), axis=0)
    order = sorted(range(len(methods)), key=lambda place: float(means[place]))
    tiers = _assign_tiers(drawn, order)
    rows = [
        replace(_row(methods[place], float(means[place]), drawn, place), tier=tiers.get(place))
        for place in order
    ]
    return Ranking(
        rows=tuple(rows),
        blocks=len(whole),
        notes=tuple(_notes(lacking, whole, words=words)),
        test=_test(ranks, methods, words=words),
    )


def _test(
    ranks: Mapping[Block, np.ndarray], methods: Sequence[str], *, words: tuple[str, str]
) -> RankingTest | None:
    """Return the test over clusters, whose blocks are not independent: their ranks are averaged first."""
    if len(methods) < 2:
        return None
    clusters: dict[str, list[np.ndarray]] = defaultdict(list)
    for (cluster, _), block in ranks.items():
        clusters[cluster].append(block)
    scores = -np.array([np.mean(blocks, axis=0) for blocks in clusters.values()])  # (clusters, methods)
    return examine_ranks(scores, methods, words=words, averaged=len(ranks) > len(clusters))


def _leave_out(
    blocks: Mapping[Block, Mapping[str, Scored]], methods: Sequence[str]
) -> tuple[dict[Block, list[Scored]], dict[Block, list[str]]]:
    """Return the blocks in which every method has a score, in the methods' order, and what the others lack."""
    whole, lacking = {}, {}
    for name, block in blocks.items():
        if missing := [each for each in methods if each not in block or block[each].value is None]:
            lacking[name] = missing
            continue
        whole[name] = [block[method] for method in methods]
    return whole, lacking


def _row(method: str, mean: float, drawn: np.ndarray | None, place: int) -> RankRow:
    if drawn is None:
        return RankRow(arm=method, mean_rank=mean)
    low, high = np.quantile(drawn[:, place], [0.025, 0.975])
    best = drawn == drawn.min(axis=1, keepdims=True)  # (draws, methods), a tie shared by those that tie
    p_best = float((best[:, place] / best.sum(axis=1)).mean())
    return RankRow(arm=method, mean_rank=mean, low=float(low), high=float(high), p_best=p_best)


def _assign_tiers(drawn: np.ndarray | None, order: Sequence[int]) -> dict[int, str]:
    """Return the tier of each method, `order` being best first; those that cannot be told from a tier's first share it.

    Two methods are told apart by the share of draws in which the lower ranked is no worse, twice the smaller side,
    adjusted for the methods compared (Holm).
    """
    tiers: dict[int, str] = {}
    left = list(order) if drawn is not None else []
    while left and drawn is not None:
        first, *others = left
        apart = [drawn[:, first] - drawn[:, other] for other in others]
        p_values = holm([min(1.0, 2 * min((gap <= 0).mean(), (gap >= 0).mean())) for gap in apart])
        shared = [first, *(each for each, p in zip(others, p_values, strict=True) if p >= SEPARABLE)]
        name = TIERS[min(len(set(tiers.values())), len(TIERS) - 1)]
        tiers |= dict.fromkeys(shared, name)
        left = [each for each in left if each not in shared]
    return tiers


def _resample(
    whole: Mapping[Block, Sequence[Scored]], ranks: Mapping[Block, np.ndarray]
) -> np.ndarray | None:
    """Return mean ranks in bootstrap draws, (draws, methods): of tasks from six on, else of the tasks' examples."""
    if len({task for task, _ in ranks}) >= TASKS_TO_RESAMPLE:
        return _draw_clusters(whole, ranks)
    bagged = [[each.bags for each in block] for block in whole.values()]
    if any(bags is None for block in bagged for bags in block):
        return None
    return _rank_in_bags([np.stack([bags for bags in block if bags is not None], axis=1) for block in bagged])


def _draw_clusters(whole: Mapping[Block, Sequence[Scored]], ranks: Mapping[Block, np.ndarray]) -> np.ndarray:
    """Return the mean ranks over clusters drawn with replacement, (draws, methods).

    Methods and clusters are put in an order that follows from their ranks and scores: names must change no number.
    """
    table = np.array(list(ranks.values()))  # (blocks, methods)
    scores = np.array([[each.value for each in block] for block in whole.values()], dtype=np.float64)
    columns = sorted(
        range(table.shape[1]), key=lambda place: (sorted(table[:, place]), sorted(scores[:, place]))
    )
    clusters: dict[str, list[int]] = defaultdict(list)
    for block, (task, _) in enumerate(ranks):
        clusters[task].append(block)
    parts = [
        (
            table[np.ix_(own, columns)].sum(axis=0).tolist(),
            scores[np.ix_(own, columns)].sum(axis=0).tolist(),
            len(own),
        )
        for own in clusters.values()
    ]
    parts.sort()
    sums, counts = np.array([part[0] for part in parts]), np.array([part[2] for part in parts])
    drawn = np.random.default_rng(0).integers(0, len(sums), size=(BAGS, len(sums)))
    means = np.empty((BAGS, len(columns)))
    means[:, columns] = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)[:, None]
    return means


def _rank_in_bags(blocks: Sequence[np.ndarray]) -> np.ndarray | None:
    """Return the mean ranks over blocks of (bags, methods) scores; bags with an undefined score drop out."""
    kept = np.isfinite(np.stack(blocks)).all(axis=(0, 2))
    if not kept.any():
        return None
    ranked = [np.stack([rank_values(-bag) for bag in block[kept]]) for block in blocks]
    return np.asarray(np.mean(ranked, axis=0))


def _notes(
    lacking: Mapping[Block, Sequence[str]],
    whole: Mapping[Block, Sequence[Scored]],
    *,
    words: tuple[str, str],
) -> list[str]:
    cluster, method = words
    notes = []
    if lacking:
        absent = [
            f"{' x '.join(filter(None, block))} lacks {', '.join(names)}" for block, names in lacking.items()
        ]
        notes.append(
            f"Ranked over {len(whole)} of {len(whole) + len(lacking)}, those in which every {method} has a score: "
            f"{'; '.join(absent)}."
        )
    clusters = len({name[0] for name in whole})
    if not 0 < clusters < TASKS_TO_RESAMPLE:
        return notes
    few = f"{clusters} {cluster}{'s' * (clusters > 1)}"
    if any(each.bags is None for block in whole.values() for each in block):
        notes.append(
            f"Mean ranks have no interval: with {few} there are fewer than {TASKS_TO_RESAMPLE} to resample."
        )
    else:
        notes.append(
            f"Intervals of mean ranks are over the examples of {few}, not over tasks: they say nothing of "
            "another task."
        )
    return notes
