"""A comparison as Markdown, as GitHub reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from harness.judge.comparison import Cell, ComparedTask, Comparison, Verdict
from harness.report import figures
from harness.report.blocks import Block, list_blocks
from harness.report.confusion import list_pairs
from harness.report.further import RAW, list_further
from harness.report.layout import sanitise
from harness.report.learning import CurveTable, tabulate_curves
from harness.report.matrix import MatrixRow
from harness.report.moves import EXPLAINED, list_moves
from harness.report.rows import Row, arrange_arms, arrange_baselines, has_several_backbones, name_splits

PAIRS = 3  # of confused classes, in a sentence
SPECIAL = re.compile(r"([\\`*_\[\]<>#!|~$@&]|(?<=www)\.|:(?=//|\w+:)|^[-+=]|(?<=^\d)[.)])")


def render(comparison: Comparison) -> str:
    """Return the ranking, a table for each task and the notes. Names and notes are text, never markup."""
    parts = [
        f"# {escape(comparison.suite)}",
        f"Scores are shown with 95 % intervals, over {name_splits(comparison)}. optimism: what the raw "
        "score of the best trial adds to the score. gap: training minus validation score, positive for overfitting. "
        "depth: frozen blocks.",
        "## Ranking",
        _draw_table(_ranking_rows(comparison)),
        *_tell_ranking_test(comparison),
        *_tell_verdicts(comparison),
        *(part for place in range(len(comparison.tasks)) for part in _draw_task(comparison, place)),
    ]
    if comparison.locked_pairs:
        told = (
            f"- {escape(pair.task)} on {escape(pair.backbone)}: {escape(pair.sentence)}"
            for pair in comparison.locked_pairs
        )
        parts += ["## Locked test", "\n".join(told)]
    if moves := list_moves(list_blocks(comparison)):
        head = ["task", "arm", "mean", "fold", "seed", "residual", "fits"]
        rows = [
            [escape(line.place), escape(line.arm), line.mean, line.fold, line.seed, line.residual, line.fits]
            for line in moves
        ]
        parts += ["## What moves a score", EXPLAINED, _draw_table([head, *rows])]
    if comparison.notes:
        parts += ["## Notes", "\n".join(f"- {escape(note)}" for note in comparison.notes)]
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Return text on one line that Markdown shows as it is: no markup, no link, no HTML, no mention."""
    return SPECIAL.sub(r"\\\1", sanitise(text)).replace("\\<", "&lt;").replace("\\&", "&amp;")


def _tell_ranking_test(comparison: Comparison) -> Iterable[str]:
    sentences = comparison.ranking.test.sentences if comparison.ranking.test else ()
    if sentences:
        yield "### Test across tasks"
        yield from map(escape, sentences)


def _tell_verdicts(comparison: Comparison) -> Iterable[str]:
    if comparison.verdicts:
        yield "## Verdicts"
        yield "\n".join(map(_tell_verdict, comparison.verdicts))


def _tell_verdict(verdict: Verdict) -> str:
    place = f"{escape(verdict.task)} on {escape(verdict.backbone)}"
    return f"- {place}, {verdict.question} {escape(verdict.sentence)}"


def _ranking_rows(comparison: Comparison) -> list[list[str]]:
    several = ["backbone"] * has_several_backbones(comparison)
    rows = [["rank", "arm", *several, *(escape(task.name) for task in comparison.tasks)]]
    for row in (*arrange_arms(comparison), *arrange_baselines(comparison)):
        rank = figures.show_rank(row.rank.mean_rank) if row.rank else ""
        if row.rank and row.rank.low is not None and row.rank.high is not None:
            rank += f" [{row.rank.low:.1f},{row.rank.high:.1f}]"
        scores = (_show_score(task, cell) for task, cell in zip(comparison.tasks, row.cells, strict=True))
        rows.append([rank, *_name(row, comparison), *scores])
    return rows


def _draw_task(comparison: Comparison, place: int) -> Iterable[str]:
    task = comparison.tasks[place]
    several = ["backbone"] * has_several_backbones(comparison)
    header = [
        "arm",
        *several,
        "score",
        "raw best",
        "optimism",
        "test",
        "train",
        "gap",
        "depth",
        "head lr",
        "backbone lr",
    ]
    rows = [[*header, "trained parameters", "s/fit", "complete", "pruned", "failed", "note"]]
    for row in (*arrange_arms(comparison), *arrange_baselines(comparison)):
        if cell := row.cells[place]:
            rows.append([*_name(row, comparison), *_describe(task, cell)])
    groups = f", {task.groups} groups" if task.groups is not None else ""
    direction = "higher" if task.higher_is_better else "lower"
    yield f"## {escape(task.name)}"
    yield f"{escape(task.type)}, {task.examples} examples{groups}, {escape(task.metric)} ({direction} is better)"
    yield _draw_table(rows)
    yield from _draw_learning(comparison, task)
    yield from _draw_further(comparison, task)
    yield from _tell_classes(comparison, task)


def _draw_further(comparison: Comparison, task: ComparedTask) -> Iterable[str]:
    several = ["backbone"] * has_several_backbones(comparison)
    for table in list_further(comparison, most=len(task.metrics) or 1):
        if table.task.name != task.name:
            continue

        def write(row: MatrixRow) -> list[str]:
            entries = (f"{entry.score} {entry.interval}".rstrip() for entry in row.entries)
            return [escape(row.name), *[escape(row.backbone)] * len(several), *entries]

        yield "### Further metrics"
        yield RAW
        head = ["arm", *several, *map(escape, table.heads)]
        yield _draw_table([head, *map(write, (*table.arms, *table.baselines))])


def _tell_classes(comparison: Comparison, task: ComparedTask) -> Iterable[str]:
    """Return a sentence for each backbone: what the best arm most often takes for what."""
    tables = [table for table in comparison.classes if table.task == task.name]
    if tables:
        yield "### Classes"
    for table in tables:
        on = f" on {escape(table.backbone)}" if has_several_backbones(comparison) else ""
        pairs = [
            f"“{escape(pair.target)}” for “{escape(pair.predicted)}” ({pair.count} of {pair.support})"
            for pair in list_pairs(table, most=PAIRS)
        ]
        told = f"most often takes {', '.join(pairs)}" if pairs else "takes no class for another"
        yield f"The best arm, {escape(table.arm)}{on}, {told}."


def _draw_learning(comparison: Comparison, task: ComparedTask) -> Iterable[str]:
    blocks = [block for block in list_blocks(comparison) if block.task == task]
    drawn = [
        part for block in blocks if (curves := tabulate_curves(block)) for part in _draw_curves(block, curves)
    ]
    if drawn:
        yield "### Learning curve"
        yield from drawn


def _draw_curves(block: Block, curves: CurveTable) -> Iterable[str]:
    bounds = block.task.bounds
    rows = [["arm", *curves.heads]]
    for cell, points in curves.rows:
        shown = (
            figures.NOTHING
            if point is None
            else figures.show_estimate(point.score, point.low, point.high, bounds)
            for point in points
        )
        rows.append([escape(cell.arm), *shown])
    yield f"{escape(block.name)}: mean over folds with a part of the training rows, not corrected"
    yield _draw_table(rows)


def _name(row: Row, comparison: Comparison) -> list[str]:
    return [escape(row.name), *[escape(row.backbone)] * has_several_backbones(comparison)]


def _describe(task: ComparedTask, cell: Cell) -> list[str]:
    candidate = cell.candidate
    rates = (candidate.head_lr, candidate.backbone_lr) if candidate else (None, None)
    return [
        _show_score(task, cell),
        figures.show_score(cell.raw_best, task.bounds),
        figures.show_score(cell.optimism, task.bounds),
        _show_test(task, cell),
        figures.show_score(cell.train_score, task.bounds),
        figures.show_score(cell.gap, task.bounds, digits=2),
        figures.show_depth(cell.depth, cell.blocks),
        *(figures.NOTHING if rate is None else f"{rate:.2g}" for rate in rates),
        figures.show_count(cell.trainable_parameters),
        figures.show_seconds(cell.fit_s),
        *map(str, (cell.trials.ok, cell.trials.pruned, cell.trials.failed)),
        escape(cell.note),
    ]


def _show_test(task: ComparedTask, cell: Cell) -> str:
    if cell.test_score is None:
        return figures.NOTHING
    return figures.show_estimate(cell.test_score, cell.test_low, cell.test_high, task.bounds)


def _show_score(task: ComparedTask, cell: Cell | None) -> str:
    return figures.show_estimate(cell.score, cell.low, cell.high, task.bounds) if cell else ""


def _draw_table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body))
