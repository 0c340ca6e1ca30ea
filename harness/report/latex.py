"""A comparison as LaTeX tables, with the rules of booktabs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.judge.comparison import Comparison
from harness.report import numbers
from harness.report.further import FurtherTable, list_further
from harness.report.layout import sanitise
from harness.report.matrix import Entry, Matrix, MatrixRow, list_matrices
from harness.report.rows import has_several_backbones, name_splits

COLUMNS = 5  # with intervals, as many as a page is wide; the names of backbones take one
HEAD = r"""% Written by `harness`; \input it. The preamble needs:
%   \usepackage{booktabs}"""
FOREIGN = (
    "% A name has letters that pdfLaTeX does not know: use XeLaTeX or LuaLaTeX, and a font that has them."
)
FARTHEST = "\u017f"  # the end of Latin Extended-A, which pdfLaTeX's T1 fonts know
LIGATURE = re.compile(r"([-',])(?=[-',])")  # pairs that a font makes one sign of
SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "`": r"\textasciigrave{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedblright{}",
    "[": "{[}",  # after \\ it would begin an argument
    "]": "{]}",
    "*": "{*}",
    "–": r"\textendash{}",
    "…": r"\ldots{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "×": r"$\times$",
} | {letter: f"\\{letter}" for letter in "{}$&#_%"}


def render(comparison: Comparison) -> str:
    """Return one table for every few tasks: mean ranks and scores with intervals, baselines below a rule.

    A task with further metrics has a table of them, or one for every few.
    """
    several = has_several_backbones(comparison)
    most = COLUMNS - 1 - several
    tables = [
        *(_draw_table(matrix, comparison) for matrix in list_matrices(comparison, most=most)),
        *(_draw_further(table, comparison) for table in list_further(comparison, most=most)),
    ]
    text = "\n\n".join(tables)
    head = [HEAD, FOREIGN] if any(letter > FARTHEST for letter in text) else [HEAD]
    return "\n".join([*head, text]) + "\n"


def escape(text: str) -> str:
    """Return text on one line that LaTeX sets as it is."""
    escaped = "".join(SPECIAL.get(letter, letter) for letter in sanitise(text))
    return LIGATURE.sub(r"\1{}", escaped)


def _draw_table(matrix: Matrix, comparison: Comparison) -> str:
    several = has_several_backbones(comparison)
    names = 3 if several else 2
    metrics = [
        numbers.show_metric(task.metric, higher_is_better=task.higher_is_better) for task in matrix.tasks
    ]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_write_caption(comparison)}}}",
        rf"\begin{{tabular}}{{@{{}}{'l' * names}{'l' * len(matrix.tasks)}@{{}}}}",
        r"\toprule",
        _join(["Rank", "Arm", *["Backbone"] * several, *(escape(task.name) for task in matrix.tasks)]),
        _join([""] * names + [rf"\scriptsize {escape(metric)}" for metric in metrics]),
        r"\midrule",
        *(_write_row(row, several=several) for row in matrix.arms),
        *([r"\midrule"] if matrix.baselines else []),
        *(_write_row(row, several=several) for row in matrix.baselines),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines)


def _draw_further(table: FurtherTable, comparison: Comparison) -> str:
    several = has_several_backbones(comparison)
    caption = (
        f"{escape(comparison.suite)}, {escape(table.task.name)}: further metrics of the best trials with 95\\,\\% "
        "intervals, not corrected for their choice; below the rule: baselines."
    )
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{caption}}}",
        rf"\begin{{tabular}}{{@{{}}{'l' * (1 + several)}{'l' * len(table.heads)}@{{}}}}",
        r"\toprule",
        _join(["Arm", *["Backbone"] * several, *map(escape, table.heads)]),
        r"\midrule",
        *(_write_entries(row, several=several) for row in table.arms),
        *([r"\midrule"] if table.baselines else []),
        *(_write_entries(row, several=several) for row in table.baselines),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines)


def _write_caption(comparison: Comparison) -> str:
    blocks = comparison.ranking.blocks
    over = "blocks of task and backbone" if has_several_backbones(comparison) else "tasks"
    budgets = dict.fromkeys(f" {escape(budget.sentence)}." for budget in comparison.budgets)
    return (
        f"{escape(comparison.suite)}: scores with 95\\,\\% intervals over {name_splits(comparison)}; "
        f"rank: mean over {blocks} {over}; bold: separable from every other arm; below the rule: baselines."
        + "".join(budgets)
    )


def _write_row(row: MatrixRow, *, several: bool) -> str:
    return f"{row.rank} & {_write_entries(row, several=several)}"


def _write_entries(row: MatrixRow, *, several: bool) -> str:
    names = [escape(row.name), *[escape(row.backbone)] * several]
    return _join([*names, *map(_write_entry, row.entries)])


def _write_entry(entry: Entry) -> str:
    score = rf"\textbf{{{_write_number(entry.score)}}}" if entry.best else _write_number(entry.score)
    return rf"{score} {{\scriptsize {_write_number(entry.interval)}}}" if entry.interval else score


def _write_number(text: str) -> str:
    return text.replace("-", "$-$").replace("–", "--")


def _join(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
