"""The comparison as LaTeX: what stands in the tables, and that no name is a command."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from harness.judge.comparison import Comparison, Pair
from harness.report import latex

COMMANDS = {
    *("begin", "end", "centering", "caption", "toprule", "midrule", "bottomrule", "textbf", "scriptsize"),
    *("uparrow", "downarrow", "times", "textendash", "ldots", "input", "usepackage"),
}
ESCAPES = {
    *(
        "textbackslash",
        "textasciitilde",
        "textasciicircum",
        "textasciigrave",
        "textless",
        "textgreater",
        "textbar",
    ),
    *("textquotedblright", "{", "}", "$", "&", "#", "_", "%", ",", "\\"),
}
DOCUMENT = r"""\documentclass{article}
\usepackage[a4paper,margin=1cm]{geometry}
\usepackage{booktabs}
\begin{document}
\input{table.tex}
\end{document}
"""


def test_braces_balance_and_every_special_is_escaped(
    hostile: tuple[str, Comparison], harmless: Comparison
) -> None:
    text = latex.render(hostile[1])
    assert set(re.findall(r"\\([a-zA-Z]+|.)", text)) - {"\n"} <= COMMANDS | ESCAPES
    plain = re.sub(r"\\[^a-zA-Z]", "", text)
    depth = 0
    for letter in plain:
        depth += (letter == "{") - (letter == "}")
        assert depth >= 0
    assert depth == 0
    body = [line for line in text.splitlines() if not line.startswith("%")]
    bare = re.sub(r"\\[^a-zA-Z]", "", re.sub(r"\$(\\[a-z]+|-)\$", "", "\n".join(body)))
    assert not re.search(r"[$#_%^~<>|\"`]", bare)
    assert count_cells(text) == count_cells(latex.render(harmless))


def test_no_line_begins_what_the_row_before_would_take_for_its_argument(
    hostile: tuple[str, Comparison],
) -> None:
    assert not re.search(r"(\\\\|rule)\s*[\[*]", latex.render(hostile[1]))


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a_b & 50 % of #1 {x} $y$", r"a\_b \& 50 \% of \#1 \{x\} \$y\$"),
        ("\\input{x}", r"\textbackslash{}input\{x\}"),
        ("~^", r"\textasciitilde{}\textasciicircum{}"),
        ("head-only", "head-only"),
        ("a--b---c", r"a-{}-b-{}-{}-c"),
        ("[1]*", "{[}1{]}{*}"),
        ("a\nb\x07", r"a b\textbackslash{}x07"),
    ],
)
def test_text_is_set_as_it_is(text: str, escaped: str) -> None:
    assert latex.escape(text) == escaped


def test_a_table_has_ranks_scores_with_intervals_and_baselines_below_a_rule(holed: Comparison) -> None:
    text = latex.render(holed)
    assert r"\usepackage{booktabs}" in text
    arms, baselines = text.split(r"\midrule")[1:]
    assert r"1.0 & depth & .711 {\scriptsize [.66,.76]} &" in re.sub(r"\\textbf\{(\S+?)\}", r"\1", arms)
    assert re.search(r"2\.0 & full & .* & missing \\\\", arms)
    assert r" & majority & .432 {\scriptsize [.39,.47]} &" in baselines
    assert "macro-f1 $\\uparrow$" in text


def test_bold_is_only_what_is_separable(holed: Comparison) -> None:
    shown = {"difference": -0.1, "low": 0.0, "high": 0.2, "worse": 0.0, "equivalent": 0.0, "better": 1.0}
    pair = Pair(task="tickets", backbone="minilm", first="depth", second="full", p=0.01, rope=0.01, **shown)
    assert re.findall(r"textbf\{(.*?)\}", latex.render(replace(holed, pairs=(pair,)))) == [".877"]
    assert "textbf" not in latex.render(replace(holed, pairs=(replace(pair, p=0.06),)))


def test_many_tasks_make_several_tables(whole: Comparison) -> None:
    tasks = tuple(replace(whole.tasks[0], name=f"task-{number}") for number in range(9))
    cells = tuple(
        replace(cell, task=task.name) for task in tasks for cell in whole.cells if cell.task == "reviews"
    )
    text = latex.render(replace(whole, tasks=tasks, cells=cells, verdicts=(), pairs=()))
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 3
    assert text.count("& probe &") == 3


def test_letters_that_need_another_engine_are_told(holed: Comparison) -> None:
    assert "XeLaTeX" in latex.render(replace(holed, suite="比較"))
    assert "XeLaTeX" not in latex.render(replace(holed, suite="Übung … café"))


@pytest.mark.whole
def test_latex_sets_the_table_of_every_name(hostile: tuple[str, Comparison], tmp_path: Path) -> None:
    if not shutil.which("pdflatex"):
        pytest.skip("needs LaTeX: apt-get install texlive-latex-base texlive-latex-recommended")
    if "XeLaTeX" in (text := latex.render(hostile[1])):
        text = text.replace("＝", "=").replace(
            "＋", "+"
        )  # pdfLaTeX has no full-width letters, as the file says
    (tmp_path / "table.tex").write_text(text, encoding="utf-8")
    (tmp_path / "paper.tex").write_text(DOCUMENT, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout.decode("latin-1")[-2000:]
    assert (tmp_path / "paper.pdf").stat().st_size > 5000


def count_cells(text: str) -> int:
    return len(re.findall(r"(?<!\\)&", text))
