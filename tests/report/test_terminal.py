"""The table as people see it in a terminal."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import replace

import pytest

from harness.judge.comparison import Comparison, Ranking, RankRow
from harness.report import terminal
from harness.report.layout import measure

WIDE = """\
 quickstart · 3 tasks x 1 backbone x 3 arms · 3 folds
 Ranking (mean rank over 2 tasks; scores with 95 % intervals)
 rank           arm        reviews         tickets         intents         opt          gap  depth  s
                           macro-f1        macro-f1        macro-f1
 1.0 [1.0,2.5]  depth      .711 [.66,.76]  .883 [.84,.92]  .819 [.78,.86]  .01 .01 .02  .06  4/6    0.9
 2.0 [1.0,3.0]  full       .690 [.64,.74]  .877 [.83,.91]  missing         .02 .01 –    .06  0/6    2.4
 3.0 [1.5,3.0]  head-only  .676 [.62,.72]  .847 [.80,.89]  .776 [.73,.82]  .02 .01 .02  .06  6/6    0.3
 baselines: majority .43 .10 .08 · classical .64 .67 .48 · generic .66 .80 .70 · probe .68 .84 .77
 tiers (arms in one are not separable): A depth, full, head-only
 No test across tasks: with 2 tasks and 3 arms nothing could be significant (p = 0.11 even if all agree); 7 tasks
   would do.
 does fine-tuning pay? reviews cannot tell (.03 [-.04,.09]) · tickets cannot tell (.03 [-.02,.09]) · intents cannot
   tell (.05 [-.02,.11])
 how deep to freeze? reviews cannot tell (0-6) · tickets cannot tell (0-4) · intents 4 (4-4)
 is it overfitting? reviews yes (.06 [.06,.06]) · tickets yes (.06 [.06,.06]) · intents yes (.06 [.06,.06])
 A score is the metric on pooled out-of-fold predictions, corrected for having chosen the best of an arm's trials
   (BBC-CV, 500 bags), with the 95 % interval of the bags; optimism is what the best trial's own score adds.
 Ranked over 2 of 3, those in which every arm has a score: intents x minilm lacks full.
 Intervals of mean ranks are over the examples of 2 tasks, not over tasks: they say nothing of another task.
 The ledger lost 1 line.
 intents, full: no complete trial (2 failed, 1 pruned): out of memory.
 reviews, depth: 1 pruned of 3 trials, not in the score.
 resume or extend: the same command
"""

AT_80 = """\
 quickstart · 3 tasks x 1 backbone x 3 arms · 3 folds
 Ranking (mean rank over 3 tasks; scores with 95 % intervals)
 rank           arm        reviews         tickets         intents
                           macro-f1        macro-f1        macro-f1
 1.3 [1.0,2.3]  depth      .703 [.65,.75]  .883 [.84,.92]  .819 [.78,.86]
 1.7 [1.0,2.3]  full       .690 [.64,.74]  .877 [.83,.91]  .828 [.78,.87]
 3.0 [2.0,3.0]  head-only  .676 [.62,.72]  .847 [.80,.89]  .776 [.73,.82]
 Best trials: optimism, training minus validation score, frozen blocks, seconds
   per fit
   arm        reviews               tickets               intents
              opt  gap  depth  s    opt  gap  depth  s    opt  gap  depth  s
   depth      .02  .06  4/6    0.9  .01  .06  4/6    0.9  .02  .06  4/6    0.9
   full       .02  .06  0/6    2.4  .01  .06  0/6    2.4  .01  .06  0/6    2.4
   head-only  .02  .06  6/6    0.3  .01  .06  6/6    0.3  .02  .06  6/6    0.3
 baselines: majority .43 .10 .08 · classical .64 .67 .48 · generic .66 .80 .70
   probe .68 .84 .77
 tiers (arms in one are not separable): A depth, full, head-only
 No test across tasks: with 3 tasks and 3 arms one task that disagrees would
   undo any result (p = 0.04 even if all agree); 7 tasks would do.
 does fine-tuning pay? reviews cannot tell (.02 [-.04,.09]) · tickets cannot
   tell (.03 [-.02,.09]) · intents cannot tell (.05 [-.02,.11])
 how deep to freeze? reviews cannot tell (0-6) · tickets cannot tell (0-4) ·
   intents cannot tell (0-4)
 is it overfitting? reviews yes (.06 [.06,.06]) · tickets yes (.06 [.06,.06]) ·
   intents yes (.06 [.06,.06])
 A score is the metric on pooled out-of-fold predictions, corrected for having
   chosen the best of an arm's trials (BBC-CV, 500 bags), with the 95 % interval
   of the bags; optimism is what the best trial's own score adds.
 Intervals of mean ranks are over the examples of 3 tasks, not over tasks: they
   say nothing of another task.
 resume or extend: the same command
"""

AT_40 = """\
 quickstart
   3 tasks x 1 backbone x 3 arms
   3 folds
 Ranking (mean rank over 2 tasks; scores
   with 95 % intervals)
 rank           arm
 1.0 [1.0,2.5]  depth
 2.0 [1.0,3.0]  full
 3.0 [1.5,3.0]  head-only

 reviews · macro-f1
 depth      .711 [.66,.76]
   opt .01 · gap .06 · 4/6 · 0.9 s
 full       .690 [.64,.74]
   opt .02 · gap .06 · 0/6 · 2.4 s
 head-only  .676 [.62,.72]
   opt .02 · gap .06 · 6/6 · 0.3 s
 baselines: majority .43 · classical .64
   generic .66 · probe .68

 tickets · macro-f1
 depth      .883 [.84,.92]
   opt .01 · gap .06 · 4/6 · 0.9 s
 full       .877 [.83,.91]
   opt .01 · gap .06 · 0/6 · 2.4 s
 head-only  .847 [.80,.89]
   opt .01 · gap .06 · 6/6 · 0.3 s
 baselines: majority .10 · classical .67
   generic .80 · probe .84

 intents · macro-f1
 depth      .819 [.78,.86]
   opt .02 · gap .06 · 4/6 · 0.9 s
 full       missing
 head-only  .776 [.73,.82]
   opt .02 · gap .06 · 6/6 · 0.3 s
 baselines: majority .08 · classical .48
   generic .70 · probe .77

 tiers (arms in one are not separable):
   A depth, full, head-only
 No test across tasks: with 2 tasks and
   3 arms nothing could be significant
   (p = 0.11 even if all agree); 7 tasks
   would do.
 does fine-tuning pay? reviews cannot
   tell (.03 [-.04,.09]) · tickets
   cannot tell (.03 [-.02,.09]) ·
   intents cannot tell (.05 [-.02,.11])
 how deep to freeze? reviews cannot tell
   (0-6) · tickets cannot tell (0-4) ·
   intents 4 (4-4)
 is it overfitting? reviews yes (.06
   [.06,.06]) · tickets yes (.06
   [.06,.06]) · intents yes (.06
   [.06,.06])
 A score is the metric on pooled
   out-of-fold predictions, corrected
   for having chosen the best of an
   arm's trials (BBC-CV, 500 bags), with
   the 95 % interval of the bags;
   optimism is what the best trial's own
   score adds.
 Ranked over 2 of 3, those in which
   every arm has a score: intents x
   minilm lacks full.
 Intervals of mean ranks are over the
   examples of 2 tasks, not over tasks:
   they say nothing of another task.
 The ledger lost 1 line.
 intents, full: no complete trial (2
   failed, 1 pruned): out of memory.
 reviews, depth: 1 pruned of 3 trials,
   not in the score.
 resume or extend: the same command
"""


def test_with_room_every_arm_is_one_line_and_a_hole_is_told(holed: Comparison) -> None:
    assert terminal.render(holed, width=116) == WIDE


def test_at_80_columns_scores_and_details_are_two_tables(whole: Comparison) -> None:
    assert terminal.render(whole, width=80) == AT_80


def test_at_40_columns_each_task_is_a_block(holed: Comparison) -> None:
    assert terminal.render(holed, width=40) == AT_40


@pytest.mark.parametrize("width", [30, 36, 40, 53, 60, 72, 80, 100, 140])
def test_no_line_is_too_wide_and_no_number_is_cut(holed: Comparison, width: int) -> None:
    text = terminal.render(holed, width=width)
    assert all(measure(line) <= width for line in text.splitlines())
    for score in (".711 [.66,.76]", ".877 [.83,.91]", ".776 [.73,.82]", "4/6", "missing"):
        assert score in text
    for baseline in ("majority .43", "probe .68"):
        assert baseline in " ".join(text.split())


def test_long_names_are_shortened_and_numbers_stay(whole: Comparison) -> None:
    long = "a" * 30 + "-" + "b" * 30
    ranking = replace(whole.ranking, rows=(RankRow(arm=long, mean_rank=1.0), *whole.ranking.rows[1:]))
    cells = tuple(replace(cell, arm=long) if cell.arm == "depth" else cell for cell in whole.cells)
    for width in (40, 80, 120):
        text = terminal.render(replace(whole, cells=cells, ranking=ranking), width=width)
        assert all(measure(line) <= width for line in text.splitlines())
        assert re.search(r"aa.*b+ +\.703 \[\.65,\.75\]", text)


def test_two_backbones_of_one_task_are_two_rows_under_one_rank(whole: Comparison) -> None:
    other = tuple(replace(cell, backbone="bert", score=0.5, low=0.4, high=0.6) for cell in whole.cells)
    text = terminal.render(replace(whole, cells=whole.cells + other), width=130)
    assert " 1.3 [1.0,2.3]  depth      minilm    .703 [.65,.75]" in text
    assert "                depth      bert      .500 [.40,.60]" in text
    assert " baselines on bert: majority .50 .50 .50" in text
    assert "3 tasks x 2 backbones x 3 arms" in text


def test_a_task_without_a_backbone_has_an_empty_place(whole: Comparison) -> None:
    other = replace(whole.cells[-1], task="reviews", backbone="vit")
    for width in (130, 90, 40):
        assert "vit" in terminal.render(replace(whole, cells=(*whole.cells, other)), width=width)


def test_a_metric_in_its_own_unit_has_significant_digits(whole: Comparison) -> None:
    tasks = (replace(whole.tasks[0], metric="rmse", higher_is_better=False, bounds=(0.0, math.inf)),)
    cells = tuple(
        replace(cell, score=12.345, low=11.2, high=13.49, gap=1.5)
        for cell in whole.cells
        if cell.task == "reviews"
    )
    text = terminal.render(replace(whole, tasks=tasks, cells=cells, verdicts=()))
    assert "rmse ↓" in text
    assert re.search(r"depth +12\.3 \[11\.2,13\.5\] +0\.020 +1\.5 +4/6 +0\.9", text)


def test_depths_of_backbones_of_other_sizes_are_told_apart(whole: Comparison) -> None:
    cells = tuple(
        replace(cell, blocks=12, depth=9) if (cell.task, cell.arm) == ("tickets", "depth") else cell
        for cell in whole.cells
    )
    assert "4/6 9/12 4/6" in terminal.render(replace(whole, cells=cells), width=120)


def test_an_interval_of_the_mean_rank_is_shown(whole: Comparison) -> None:
    rows = tuple(replace(row, low=1.0, high=2.5) for row in whole.ranking.rows)
    assert "1.3 [1.0,2.5]" in terminal.render(replace(whole, ranking=replace(whole.ranking, rows=rows)))


def test_nothing_ranked_is_said(whole: Comparison) -> None:
    rows = tuple(RankRow(arm=row.arm, mean_rank=None) for row in whole.ranking.rows)
    text = terminal.render(replace(whole, ranking=Ranking(rows=rows, blocks=0)))
    assert "no mean rank: no task has every arm" in text
    assert " –     depth" in text


def test_many_notes_do_not_push_the_table_out_of_sight(whole: Comparison) -> None:
    noted = replace(whole, cells=tuple(replace(cell, note="odd") for cell in whole.cells))
    text = terminal.render(noted)
    assert text.count(": odd.") == terminal.CELL_NOTES
    assert f"{len(whole.cells) - terminal.CELL_NOTES} further notes in table.md." in text


def test_the_next_step_is_the_last_line(whole: Comparison) -> None:
    text = terminal.render(whole, next_step="results/quickstart/table.md · next: harness export quickstart")
    assert text.endswith("results/quickstart/table.md · next: harness export quickstart\n")


@pytest.mark.parametrize("width", [40, 80, 140])
def test_no_name_moves_the_cursor(hostile: tuple[str, Comparison], width: int) -> None:
    text = terminal.render(hostile[1], width=width)
    odd = {letter for letter in text if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert odd == {"\n"}


def test_the_locked_test_follows_the_test_across_tasks(whole: Comparison) -> None:
    cells = tuple(replace(cell, test_score=0.5, test_low=0.4, test_high=0.6) for cell in whole.cells)
    lines = terminal.render(replace(whole, cells=cells), width=80).splitlines()
    starts = [
        next(place for place, line in enumerate(lines) if line.startswith(start))
        for start in (
            " tiers",
            " No test across tasks",
            " locked test: depth .500 [.40,.60]",
            " does fine-tuning",
        )
    ]
    assert starts == sorted(starts)
