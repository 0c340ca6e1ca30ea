"""The made-up comparison of the judge's tests, and names that attack."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path

import pytest

from harness.judge.comparison import Comparison, RankRow

made = runpy.run_path(str(Path(__file__).parents[1] / "judge" / "made_up.py"))

HOSTILE = (
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b2J",
    "a\rb",
    "a\nb",
    "a\tb",
    "\x00nul",
    "\u202egnp.exe",
    "zero\u200bwidth",
    "\u2028line",
    "\ud800lone",
    "[bold red]markup[/]",
    "[link=https://evil.example]x[/link]",
    ":smile:",
    "=1+1",
    "+1",
    "-1",
    "@SUM(1)",
    " =1+1",
    "\t=1+1",
    "\n=1+1",
    "＝1+1",
    '=cmd|"/c calc"!A1',
    '"quoted","x"',
    "a,b;c",
    "a|b",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "&lt;b&gt;",
    "[link](https://evil.example)",
    "![image](https://evil.example/x.png)",
    "https://evil.example",
    "www.evil.example",
    "@everyone",
    "`code`",
    "**bold** _it_ ~~s~~",
    "# head",
    "- item",
    "1. item",
    "\\",
    "${jndi:ldap://x}",
    "{{7*7}} %s {0}",
)


@pytest.fixture(scope="session")
def whole() -> Comparison:
    return made["compare_made_up"]()


@pytest.fixture(scope="session")
def holed() -> Comparison:
    return made["compare_with_a_hole"]()


def rename(comparison: Comparison, name: str) -> Comparison:
    """Return the comparison with `name` for the suite, the first task, its metric, backbone, arm, label and notes."""
    first = comparison.tasks[0].name
    return replace(
        comparison,
        suite=name,
        tasks=(replace(comparison.tasks[0], name=name, metric=name), *comparison.tasks[1:]),
        cells=tuple(
            replace(
                cell,
                task=name if cell.task == first else cell.task,
                backbone=name,
                arm=name if cell.arm == "full" else cell.arm,
                note=name,
            )
            for cell in comparison.cells
        ),
        ranking=replace(
            comparison.ranking,
            rows=tuple(
                RankRow(arm=name, mean_rank=row.mean_rank, tier="A") if row.arm == "full" else row
                for row in comparison.ranking.rows
            ),
        ),
        verdicts=tuple(
            replace(
                verdict,
                task=name if verdict.task == first else verdict.task,
                backbone=name,
                answer=name,
                sentence=name,
            )
            for verdict in comparison.verdicts
        ),
        classes=tuple(
            replace(
                table,
                task=name if table.task == first else table.task,
                backbone=name,
                arm=name if table.arm == "full" else table.arm,
                classes=tuple(
                    replace(each, label=name if each.label == "no" else each.label) for each in table.classes
                ),
            )
            for table in comparison.classes
        ),
        notes=(name,),
    )


@pytest.fixture(scope="session")
def harmless(holed: Comparison) -> Comparison:
    """The comparison of `hostile` with a name that attacks nobody."""
    return rename(holed, "name")


@pytest.fixture(scope="session")
def endless(holed: Comparison) -> Comparison:
    """The same with a name of ninety letters and no blank."""
    return rename(holed, "endless-" * 5 + "x" * 50)


@pytest.fixture(params=HOSTILE, ids=[ascii(text)[1:-1].replace("::", ":") for text in HOSTILE])
def hostile(request: pytest.FixtureRequest, holed: Comparison) -> tuple[str, Comparison]:
    """A name that attacks a reader of some format, and the comparison in which everything is called so."""
    return request.param, rename(holed, request.param)
