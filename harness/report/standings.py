"""The standings of anybody's table as plain text for a terminal of any width."""

from __future__ import annotations

from collections.abc import Sequence

from harness.judge.comparison import Ranking, RankRow
from harness.report import numbers
from harness.report.layout import fits, lay_out, sanitise, shorten, wrap

RANK_WIDTH = 22  # of a mean rank with its interval, and the gaps


def render(ranking: Ranking, *, width: int = 80) -> str:
    """Return mean ranks, chances, tiers, wins, strengths, and what tests say, in lines of `width` columns at most."""
    strengths = (
        {} if ranking.test is None else dict(zip(ranking.test.methods, ranking.test.strengths, strict=True))
    )
    intervals = "; 95 % intervals" if any(row.low is not None for row in ranking.rows) else ""
    sets = numbers.count_noun(ranking.blocks, "data set")
    told = [*(ranking.test.sentences if ranking.test else ()), *ranking.notes]
    lines = [
        *wrap(f"Mean rank over {sets}{intervals}", width),
        *_draw(ranking.rows, strengths, width),
        *(line for sentence in told for line in wrap(sanitise(sentence), width)),
    ]
    return "\n".join(lines) + "\n"


def _draw(rows: Sequence[RankRow], strengths: dict[str, float], width: int) -> list[str]:
    """Return one line a method, or some where that is too wide; what is known of none has no column."""
    columns = [
        ("tier", [row.tier or "" for row in rows], any(row.tier for row in rows)),
        ("first in", [_show_chance(row) for row in rows], any(row.p_best is not None for row in rows)),
        ("won, tied, lost", [_show_pairs(row) for row in rows], any(row.wins is not None for row in rows)),
        ("strength", [f"{strengths.get(row.arm, 0.0):.2f}" for row in rows], bool(strengths)),
    ]
    known = [(head, cells) for head, cells, shown in columns if shown]
    ranks = [numbers.show_rank(row.mean_rank, row.low, row.high) for row in rows]
    names = [shorten(sanitise(row.arm), max(10, width - RANK_WIDTH)) for row in rows]
    heads = ("rank", "method", *(head for head, _ in known))
    table = lay_out([heads, *zip(ranks, names, *(cells for _, cells in known), strict=True)])
    if fits(table, width):
        return table
    lines = []
    plain = lay_out([("rank", "method"), *zip(ranks, names, strict=True)])
    for place, line in enumerate(plain):
        lines.append(line)
        if place:
            details = " · ".join(f"{head} {cells[place - 1]}" for head, cells in known)
            lines += wrap(f"  {details}", width, between=" · ")
    return lines


def _show_chance(row: RankRow) -> str:
    return numbers.NOTHING if row.p_best is None else numbers.show_share(row.p_best, digits=2)


def _show_pairs(row: RankRow) -> str:
    return numbers.NOTHING if row.wins is None else f"{row.wins}, {row.ties}, {row.losses}"
