"""Standings: the methods of anybody's table by mean rank."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.judge.comparison import Ranking
from harness.judge.ranking import Scored, rank_blocks
from harness.judge.ranking_test import RankingTest, add_wilcoxon
from harness.judge.score_table import read_score_table


def rank_scores(
    scores: Path | Mapping[str, Mapping[str, float | None]], *, lower_is_better: bool = False
) -> Ranking:
    """Return the ranking of methods over data sets, from a CSV file or as scores[data set][method].

    The file's first column names the data set, every further one is a method. A data set that lacks a score is
    left out, and the ranking's notes say so. Wins, ties and losses count data sets, scores that agree to twelve
    digits being tied. Raises `SpecError` with all faults of the file.
    """
    table = read_score_table(scores) if isinstance(scores, Path) else scores
    sign = -1 if lower_is_better else 1
    blocks = {
        (dataset, ""): {method: Scored.of(score, sign) for method, score in row.items()}
        for dataset, row in table.items()
    }
    ranking = rank_blocks(blocks, words=("data set", "method"))
    if ranking.test is None:
        return ranking
    rows = [
        [row[method].value for method in ranking.test.methods if method in row] for row in blocks.values()
    ]
    whole = np.array(
        [row for row in rows if len(row) == len(ranking.test.methods) and None not in row], dtype=np.float64
    )
    test = add_wilcoxon(ranking.test, whole, word="data set")
    return replace(count_score_wins(ranking, test), test=test)


def count_score_wins(ranking: Ranking, test: RankingTest) -> Ranking:
    """Return the ranking with how often each method ranked above, level with and below another on a data set."""
    won, tied, lost = Counter[str](), Counter[str](), Counter[str]()
    for pair in test.pairs:
        won += Counter({pair.first: pair.wins, pair.second: pair.losses})
        lost += Counter({pair.first: pair.losses, pair.second: pair.wins})
        tied += Counter({pair.first: pair.ties, pair.second: pair.ties})
    rows = [replace(row, wins=won[row.arm], ties=tied[row.arm], losses=lost[row.arm]) for row in ranking.rows]
    return replace(ranking, rows=tuple(rows))
