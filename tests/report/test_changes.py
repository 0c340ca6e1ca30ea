"""What has changed between two runs, as people see it in a terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.judge.compare import Changes, find_changes
from harness.judge.comparison import Comparison
from harness.report.changes import render
from harness.report.layout import measure

AT_80 = """\
 A: results/old
 B: results/new
 cell             A     B     B - A              p      McNemar
 reviews · depth  .723  .623  -.100 [-.13,-.06]  <.001  .015     regressed
 reviews · full   .712  .750  .038 [.01,.06]     .020   –        improved
 tickets · full   .892  .892  .000 [.00,.00]     1.000  1.000    held
 intents · depth  .837  .837  .000 [.00,.00]     1.000  1.000    held
 Both on the examples that they share; 95 % interval over bags of them; p and
   McNemar's p are adjusted for the cells (Holm).
 tickets · depth: only in A: B has no such cell.
 intents · full: missing: B has no score: no complete trial (2 failed, 1
   pruned): out of memory.
 regressed: reviews · depth, intents · full. Others: 1 improved, 1 only in A, 2
   held; tolerance .01.
"""
AT_40 = """\
 A: results/old
 B: results/new
 reviews · depth
   regressed · .723 to .623
     -.100 [-.13,-.06] · p <.001
     McNemar .015
 reviews · full
   improved · .712 to .750
     .038 [.01,.06] · p .020
 tickets · full
   held · .892 to .892 · .000 [.00,.00]
     p 1.000 · McNemar 1.000
 intents · depth
   held · .837 to .837 · .000 [.00,.00]
     p 1.000 · McNemar 1.000
 Both on the examples that they share;
   95 % interval over bags of them; p
   and McNemar's p are adjusted for the
   cells (Holm).
 tickets · depth: only in A: B has no
   such cell.
 intents · full: missing: B has no
   score: no complete trial (2 failed, 1
   pruned): out of memory.
 regressed: reviews · depth, intents ·
   full. Others: 1 improved, 1 only in
   A, 2 held; tolerance .01.
"""


@pytest.fixture(scope="module")
def changes(whole: Comparison, holed: Comparison) -> Changes:
    """Return the change of two made-up runs, some of its cells replaced so that there is one of many kinds."""
    found = find_changes(whole, holed, names=("results/old", "results/new"))
    worse, better, gone, *others = [change for change in found.changes if change.arm in ("depth", "full")]
    measured = (
        replace(
            worse,
            state="regressed",
            second=0.623,
            difference=-0.1,
            low=-0.134,
            high=-0.0612,
            p=0.0002,
            mcnemar_p=0.0153,
        ),
        replace(
            better,
            state="improved",
            second=0.75,
            difference=0.038,
            low=0.0123,
            high=0.0612,
            p=0.02,
            mcnemar_p=None,
        ),
        replace(gone, state="only in A", note="B has no such cell"),
    )
    return replace(found, changes=(*measured, *others))


def test_at_80_columns_there_is_a_table(changes: Changes) -> None:
    assert render(changes, width=80) == AT_80


def test_at_40_columns_there_are_blocks(changes: Changes) -> None:
    assert render(changes, width=40) == AT_40


@pytest.mark.parametrize("width", [30, 40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(changes: Changes, width: int) -> None:
    assert max(map(measure, render(changes, width=width).split("\n"))) <= width


def test_where_nothing_was_measured_no_success_is_claimed(changes: Changes) -> None:
    lost = replace(
        changes,
        changes=tuple(
            replace(change, state="not comparable", note="the predictions of B cannot be read")
            for change in changes.changes
        ),
    )
    assert "Nothing could be compared" in render(lost)
    assert "no regression" not in render(lost)


def test_a_name_cannot_move_the_cursor(hostile: tuple[str, Comparison], changes: Changes) -> None:
    name, _ = hostile
    task = changes.tasks["reviews"]
    named = [replace(change, task=name, arm=name, note=name) for change in changes.changes]
    told = render(replace(changes, first=name, second=name, tasks={name: task}, changes=tuple(named)))
    assert all(letter.isprintable() for letter in told.replace("\n", ""))
