"""A comparison as plain text for a terminal of any width."""

from __future__ import annotations

from collections.abc import Iterable

from harness.judge.comparison import Cell, ComparedTask, Comparison, Ranking, RankRow, Verdict
from harness.report import figures
from harness.report.blocks import list_blocks
from harness.report.layout import fits, lay_out, pad, sanitise, shorten, wrap
from harness.report.learning import tabulate_curves
from harness.report.rows import (
    Row,
    arrange_arms,
    arrange_baselines,
    has_several_backbones,
    name_splits,
    pair_cells,
)

CELL_NOTES = 8  # more would push the table out of sight; all of them stand in table.md
DETAILS = ("opt", "gap", "depth", "s")
SAME_COMMAND = "resume or extend: the same command"


def render(comparison: Comparison, *, width: int = 80, next_step: str = SAME_COMMAND) -> str:
    """Return the ranking with scores, baselines and notes, in lines of at most `width` columns.

    A table that is too wide is split into scores and details, and then into one block for each task. Numbers are
    never cut; long names are shortened. Nothing in a name can move the cursor or colour.
    """
    table = _draw_wide(comparison, width)
    if not fits(table, width):
        table = _draw_split(comparison, width)
    baselines = _tell_baselines(comparison, width)
    if not fits([*table, *baselines], width):
        table, baselines = _draw_blocks(comparison, width), []
    lines = [
        *_tell_title(comparison, width),
        *table,
        *baselines,
        *_tell_tiers(comparison.ranking, width),
        *_tell_ranking_test(comparison.ranking, width),
        *_tell_locked(comparison, width),
        *_tell_learning(comparison, width),
        *_tell_verdicts(comparison, width),
        *_tell_notes(comparison, width),
    ]
    return "\n".join([*lines, *wrap(f"{sanitise(next_step)}", width, between=" · ")]) + "\n"


def _tell_title(comparison: Comparison, width: int) -> list[str]:
    backbones = len({cell.backbone for cell in comparison.cells})
    counts = (
        _count(len(comparison.tasks), "task"),
        _count(backbones, "backbone"),
        _count(len(comparison.ranking.rows), "arm"),
    )
    title = [f"{sanitise(comparison.suite)}", " x ".join(counts), name_splits(comparison)]
    blocks = comparison.ranking.blocks
    pairs = ("block", " of task x backbone") if has_several_backbones(comparison) else ("task",)
    over = f"mean rank over {_count(blocks, *pairs)}" if blocks else "no mean rank: no task has every arm"
    ranking = f"Ranking ({over}; scores with 95 % intervals)"
    return [*wrap(" · ".join(title), width, between=" · "), *wrap(ranking, width)]


def _draw_wide(comparison: Comparison, width: int) -> list[str]:
    """Return one line for each row, with everything that is known of it."""
    head, units = _headers(comparison, width)
    lines = [
        [
            *_name_row(row, comparison, width),
            *_show_scores(row, comparison),
            _join(_show_small(cell.optimism, task) for task, cell in pair_cells(row, comparison)),
            _join(_show_small(cell.gap, task) for task, cell in pair_cells(row, comparison)),
            _join_depths(row),
            _join(figures.show_seconds(cell.fit_s) for cell in row.cells if cell),
        ]
        for row in arrange_arms(comparison)
    ]
    return lay_out([[*head, *DETAILS], [*units, *("" for _ in DETAILS)], *lines])


def _draw_split(comparison: Comparison, width: int) -> list[str]:
    """Return the scores, and below them the details of each."""
    rows = arrange_arms(comparison)
    names = [_name_row(row, comparison, width) for row in rows]
    head, units = _headers(comparison, width)
    scores = [[*name, *_show_scores(row, comparison)] for name, row in zip(names, rows, strict=True)]
    columns = [
        pad([DETAILS, *(_show_detail(task, row.cells[place]) for row in rows)])
        for place, task in enumerate(comparison.tasks)
    ]
    unranked = [["", *name[1:]] for name in ([""] * len(names[0]), *names)]
    details = [[*name, *cells] for name, *cells in zip(unranked, *columns, strict=True)]
    told = "Best trials: optimism, training minus validation score, frozen blocks, seconds per fit"
    return [*lay_out([head, units, *scores]), *wrap(told, width), *lay_out([["", *head[1:]], *details])]


def _draw_blocks(comparison: Comparison, width: int) -> list[str]:
    """Return the mean ranks, and a block of arms and baselines for each task."""
    ranked = [(_show_rank(row), shorten(sanitise(row.arm), width - 18)) for row in comparison.ranking.rows]
    lines = lay_out([("rank", "arm"), *ranked])
    for place, task in enumerate(comparison.tasks):
        lines += ["", *wrap(f"{sanitise(task.name)} · {_show_metric(task)}", width, between=" · ")]
        lines += _draw_task(comparison, place, width)
        baselines = [
            f"{_name(row, width)} {figures.show_score(cell.score, task.bounds, digits=2)}"
            for row in arrange_baselines(comparison)
            if (cell := row.cells[place])
        ]
        if baselines:
            lines += wrap(f"baselines: {' · '.join(baselines)}", width, between=" · ")
    return [*lines, ""]


def _draw_task(comparison: Comparison, place: int, width: int) -> list[str]:
    """Return a task's arms, in two lines each where one is too wide."""
    task = comparison.tasks[place]
    found = [(_name(row, width), row.cells[place]) for row in arrange_arms(comparison)]
    arms = [
        (name, _show_score(task, cell), *_show_detail(task, cell)) for name, cell in found if cell is not None
    ]
    table = lay_out([("arm", "score", *DETAILS), *arms])
    if fits(table, width):
        return table
    lines = []
    for score, (_, _, *detail) in zip(lay_out([arm[:2] for arm in arms]), arms, strict=True):
        optimism, gap, depth, seconds = detail
        told = wrap(f"  opt {optimism} · gap {gap} · {depth} · {seconds} s", width, between=" · ")
        lines += [score, *(told if set(detail) != {figures.NOTHING} else [])]
    return lines


def _tell_baselines(comparison: Comparison, width: int) -> list[str]:
    """Return each baseline's score on every task, in the order of the columns; a line for each backbone."""
    told: dict[str, list[str]] = {}
    for row in arrange_baselines(comparison):
        scores = (
            figures.show_score(cell.score, task.bounds, digits=2)
            for task, cell in pair_cells(row, comparison)
        )
        told.setdefault(row.backbone, []).append(f"{sanitise(row.name)} {' '.join(scores)}")
    return [
        line
        for backbone, values in told.items()
        for line in wrap(
            f"baselines{f' on {sanitise(backbone)}' if backbone else ''}: {' · '.join(values)}",
            width,
            between=" · ",
        )
    ]


def _tell_tiers(ranking: Ranking, width: int) -> list[str]:
    """Return the arms by tier: what cannot be told from a tier's first stands in it."""
    tiers: dict[str, list[str]] = {}
    for row in ranking.rows:
        if row.tier is not None:
            tiers.setdefault(row.tier, []).append(sanitise(row.arm))
    if not tiers:
        return []
    told = " · ".join(f"{tier} {', '.join(arms)}" for tier, arms in tiers.items())
    return wrap(f"tiers (arms in one are not separable): {told}", width)


def _tell_ranking_test(ranking: Ranking, width: int) -> list[str]:
    """Return what tests over the tasks say, or why there is none."""
    sentences = ranking.test.sentences if ranking.test else ()
    return [line for sentence in sentences for line in wrap(sanitise(sentence), width)]


def _tell_locked(comparison: Comparison, width: int) -> list[str]:
    """Return the scores on what was locked away, for each arm and baseline in the order of the tasks."""
    told = []
    for row in (*arrange_arms(comparison), *arrange_baselines(comparison)):
        if all(cell is None or cell.test_score is None for cell in row.cells):
            continue
        scores = [
            figures.NOTHING
            if cell.test_score is None
            else figures.show_estimate(cell.test_score, cell.test_low, cell.test_high, task.bounds)
            for task, cell in pair_cells(row, comparison)
        ]
        name = f"{row.name} on {row.backbone}" if row.backbone else row.name
        told.append(f"{sanitise(name)} {' '.join(scores)}")
    return wrap(f"locked test: {' · '.join(told)}", width, between=" · ") if told else []


def _tell_learning(comparison: Comparison, width: int) -> list[str]:
    """Return for each task the scores of every arm by the share of the training rows, without baselines."""
    lines = []
    for block in list_blocks(comparison):
        table = tabulate_curves(block)
        if table is None:
            continue
        told = [f"learning curve of {sanitise(block.name)} ({', '.join(table.heads)})"]
        for cell, points in table.rows:
            scores = (None if point is None else point.score for point in points)
            shown = (figures.show_score(score, block.task.bounds, digits=2) for score in scores)
            told += [f"{sanitise(cell.arm)} {' '.join(shown)}"] * (cell.kind == "arm")
        lines += wrap(" · ".join(told), width, between=" · ")
    return lines


def _tell_verdicts(comparison: Comparison, width: int) -> list[str]:
    """Return a line for each question, with the answer for every task."""
    several = has_several_backbones(comparison)
    bounds = {task.name: task.bounds for task in comparison.tasks}
    told: dict[str, list[str]] = {}
    for verdict in comparison.verdicts:
        place = f"{verdict.task} on {verdict.backbone}" if several else verdict.task
        figure = _show_figure(verdict, bounds[verdict.task])
        told.setdefault(verdict.question, []).append(f"{sanitise(place)} {sanitise(verdict.answer)} {figure}")
    return [
        line
        for question, answers in told.items()
        for line in wrap(f"{question} {' · '.join(answers)}", width)
    ]


def _show_figure(verdict: Verdict, bounds: figures.Bounds) -> str:
    """Return the figure behind an answer: a range of depths, or a difference with its interval."""
    if verdict.difference is None or verdict.low is None or verdict.high is None:
        return ""
    if verdict.question == "how deep to freeze?":
        return f"({verdict.low:.0f}-{verdict.high:.0f})"
    difference = figures.show_score(verdict.difference, bounds, digits=2)
    return f"({difference} {figures.show_interval(verdict.low, verdict.high, bounds)})"


def _tell_notes(comparison: Comparison, width: int) -> list[str]:
    """Return the comparison's notes and those of its cells, the missing ones first."""
    several = has_several_backbones(comparison)
    noted = sorted((cell for cell in comparison.cells if cell.note), key=lambda cell: cell.score is not None)
    told = [
        f"{cell.task}, {cell.arm}{f' on {cell.backbone}' if several else ''}: {cell.note}."
        for cell in noted[:CELL_NOTES]
    ]
    more = len(noted) - CELL_NOTES
    if more > 0:
        told.append(f"{_count(more, 'further note')} in table.md.")
    return [line for note in (*comparison.notes, *told) for line in wrap(f"{sanitise(note)}", width)]


def _headers(comparison: Comparison, width: int) -> tuple[list[str], list[str]]:
    """Return the names of the columns up to the scores, and below them the metrics."""
    names = ["rank", "arm", "backbone"] if has_several_backbones(comparison) else ["rank", "arm"]
    tasks = [shorten(sanitise(task.name), _longest(width)) for task in comparison.tasks]
    return [*names, *tasks], ["" for _ in names] + [_show_metric(task) for task in comparison.tasks]


def _name_row(row: Row, comparison: Comparison, width: int) -> list[str]:
    rank = _show_rank(row.rank) if row.rank else ""
    backbone = [shorten(sanitise(row.backbone), _longest(width))] * has_several_backbones(comparison)
    return [rank, shorten(sanitise(row.name), _longest(width)), *backbone]


def _name(row: Row, width: int) -> str:
    name = f"{row.name} on {row.backbone}" if row.backbone else row.name
    return shorten(sanitise(name), max(_longest(width), width - 18))


def _longest(width: int) -> int:
    return max(10, width // 5)


def _show_scores(row: Row, comparison: Comparison) -> list[str]:
    return [_show_score(task, cell) for task, cell in zip(comparison.tasks, row.cells, strict=True)]


def _show_score(task: ComparedTask, cell: Cell | None) -> str:
    return figures.show_estimate(cell.score, cell.low, cell.high, task.bounds) if cell else ""


def _show_small(difference: float | None, task: ComparedTask) -> str:
    return figures.show_score(difference, task.bounds, digits=2)


def _show_detail(task: ComparedTask, cell: Cell | None) -> tuple[str, str, str, str]:
    if cell is None:
        return "", "", "", ""
    return (
        _show_small(cell.optimism, task),
        _show_small(cell.gap, task),
        figures.show_depth(cell.depth, cell.blocks),
        figures.show_seconds(cell.fit_s),
    )


def _show_metric(task: ComparedTask) -> str:
    return sanitise(task.metric) if task.higher_is_better else f"{sanitise(task.metric)} ↓"


def _show_rank(row: RankRow) -> str:
    interval = "" if row.low is None or row.high is None else f" [{row.low:.1f},{row.high:.1f}]"
    return f"{figures.show_rank(row.mean_rank)}{interval}"


def _join(values: Iterable[str]) -> str:
    """Return the values of all tasks, or the one that all have that are not missing."""
    listed = list(values)
    known = set(listed) - {figures.NOTHING}
    return known.pop() if len(known) == 1 else " ".join(listed)


def _join_depths(row: Row) -> str:
    cells = [cell for cell in row.cells if cell]
    if len({cell.blocks for cell in cells}) > 1:
        return _join(figures.show_depth(cell.depth, cell.blocks) for cell in cells)
    depths = _join(figures.NOTHING if cell.depth is None else str(cell.depth) for cell in cells)
    return f"{depths}/{cells[0].blocks}" if cells else ""


def _count(number: int, name: str, tail: str = "") -> str:
    return f"{number} {name}{'s' * (number != 1)}{tail}"
