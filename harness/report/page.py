"""Page: what the report shows, section by section, in words and drawings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.judge.comparison import Cell, Comparison, Ranking, RankRow, Verdict
from harness.record.incumbents import Incumbents
from harness.record.lock import Provenance
from harness.report import figures
from harness.report.bars import draw_importance
from harness.report.blocks import Block, list_blocks
from harness.report.confusion import ClassView, view_classes
from harness.report.critical import draw_critical_difference
from harness.report.curves import draw_incumbents
from harness.report.depths import draw_depths
from harness.report.drawing import COLOURS, SHAPES, Drawing, Line, Mark, Style, draw_across, style_arms
from harness.report.fractions import draw_fractions
from harness.report.further import FurtherTable, list_further
from harness.report.locked import LockedLine, list_locked
from harness.report.matrix import Matrix, list_matrices
from harness.report.moves import EXPLAINED, MoveLine, list_moves
from harness.report.rows import has_several_backbones, name_splits
from harness.report.scale import Scale
from harness.report.strips import draw_gaps, draw_optimism

COLUMNS = 6  # of scores; the names of backbones take one
NEUTRAL = Style(arm="", colour=COLOURS - 1, shape=SHAPES[0])
STRIP_WIDTH, STRIP_HEIGHT = 120.0, 16.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RankLine:
    """A row of a ranking as text, with its interval as an ornament."""

    row: RankRow
    rank: str
    interval: str
    p_best: str
    pairs: str  # won, tied, lost
    strip: Drawing | None  # None: no interval
    style: Style | None  # None: a backbone


@dataclass(frozen=True, slots=True, kw_only=True)
class RankTable:
    """A ranking of arms, or of a modality's backbones."""

    over: str
    lines: tuple[RankLine, ...]
    tiers: bool
    pairs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A verdict in a word, and in a sentence; both empty where the question was not asked."""

    word: str = ""
    sentence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictLine:
    """A task, or a task on a backbone, with its answer to each of the page's questions."""

    place: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A drawing with its caption's name."""

    name: str
    metric: str
    drawing: Drawing


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All sections of the report; an empty one is left out, or says that there is nothing to tell."""

    comparison: Comparison
    facts: tuple[str, ...]
    several: bool  # backbones of one task
    controlled: bool  # a control was searched
    ranking: RankTable
    across: tuple[str, ...]  # sentences on the test over tasks
    critical: tuple[Plot, ...]  # its diagram; empty: it has no power
    backbones: tuple[tuple[str, RankTable], ...]
    questions: tuple[str, ...]
    verdicts: tuple[VerdictLine, ...]
    matrices: tuple[Matrix, ...]
    locked: tuple[LockedLine, ...]
    further: tuple[FurtherTable, ...]
    classes: tuple[ClassView, ...]
    legend: tuple[Style, ...]
    depths: tuple[Plot, ...]
    banded: bool  # an arm tried several depths
    learning: tuple[Plot, ...]
    gaps: tuple[Plot, ...]
    tested: bool  # a locked test was opened
    moves: tuple[MoveLine, ...]
    moves_explained: str
    optimism: tuple[Plot, ...]
    incumbents: tuple[Plot, ...]
    importance: tuple[Plot, ...]
    troubles: tuple[Cell, ...]
    notes: tuple[str, ...]
    provenance: Provenance | None


def lay_out_page(comparison: Comparison, provenance: Provenance | None, incumbents: Incumbents) -> Page:
    """Return the page of a comparison; without provenance that section is left out."""
    blocks, styles = list_blocks(comparison), style_arms(comparison)
    several = has_several_backbones(comparison)
    questions = tuple(dict.fromkeys(verdict.question for verdict in comparison.verdicts))
    return Page(
        comparison=comparison,
        facts=_count_all(comparison),
        several=several,
        controlled=any(cell.kind == "control" for cell in comparison.cells),
        ranking=_show_ranking(comparison.ranking, styles, "block" if several else "task"),
        across=comparison.ranking.test.sentences if comparison.ranking.test else (),
        critical=_list_critical(comparison.ranking, styles),
        backbones=tuple(
            (modality, _show_ranking(ranking, {}, "block"))
            for modality, ranking in comparison.backbones.items()
        ),
        questions=questions,
        verdicts=_answer(questions, comparison.verdicts, several=several),
        matrices=tuple(list_matrices(comparison, most=COLUMNS - several)),
        locked=list_locked(comparison),
        further=tuple(list_further(comparison, most=COLUMNS - several)),
        classes=view_classes(comparison),
        legend=tuple(styles.values()),
        depths=_list_plots((block, draw_depths(block, styles)) for block in blocks),
        banded=any(len(cell.depths) > 1 for cell in comparison.cells),
        learning=_list_plots((block, draw_fractions(block, styles)) for block in blocks),
        gaps=_list_plots(draw_gaps(blocks, styles)),
        tested=any(cell.kind == "arm" and cell.test_gap is not None for cell in comparison.cells),
        moves=list_moves(blocks),
        moves_explained=EXPLAINED,
        optimism=_list_plots(draw_optimism(blocks, styles)),
        incumbents=_list_plots((block, draw_incumbents(block, incumbents, styles)) for block in blocks),
        importance=_list_plots((block, draw_importance(block, styles)) for block in blocks),
        troubles=_list_troubles(comparison),
        notes=comparison.notes,
        provenance=provenance,
    )


def _count_all(comparison: Comparison) -> tuple[str, ...]:
    baselines = {cell.arm for cell in comparison.cells if cell.kind == "baseline"}
    controls = {cell.arm for cell in comparison.cells if cell.kind == "control"}
    arms = [cell for cell in comparison.cells if cell.kind == "arm"]
    searched = [cell for cell in comparison.cells if cell.kind != "baseline"]
    trials = sum(cell.trials.ok + cell.trials.pruned + cell.trials.failed for cell in searched)
    return (
        _count(len(comparison.tasks), "task"),
        _count(len({cell.backbone for cell in comparison.cells}), "backbone"),
        _count(len({cell.arm for cell in arms}), "arm"),
        _count(len(baselines), "baseline"),
        *([_count(len(controls), "control")] if controls else []),
        _count(trials, "trial"),
        name_splits(comparison),
    )


def _show_ranking(ranking: Ranking, styles: Mapping[str, Style], over: str) -> RankTable:
    scale = Scale(low=1, high=max(2, len(ranking.rows)), start=6, end=STRIP_WIDTH - 6)
    return RankTable(
        over=_count(ranking.blocks, over),
        lines=tuple(_show_line(row, styles.get(row.arm), scale) for row in ranking.rows),
        tiers=any(row.tier is not None for row in ranking.rows),
        pairs=any(row.wins is not None for row in ranking.rows),
    )


def _show_line(row: RankRow, style: Style | None, scale: Scale) -> RankLine:
    known = row.low is not None and row.high is not None
    return RankLine(
        row=row,
        rank=figures.show_rank(row.mean_rank),
        interval=f"[{row.low:.1f},{row.high:.1f}]" if known else "",
        p_best=figures.NOTHING if row.p_best is None else figures.show_share(row.p_best, digits=2),
        pairs=figures.NOTHING if row.wins is None else f"{row.wins} · {row.ties} · {row.losses}",
        strip=_draw_strip(row, style or NEUTRAL, scale),
        style=style,
    )


def _draw_strip(row: RankRow, style: Style, scale: Scale) -> Drawing | None:
    if row.mean_rank is None or row.low is None or row.high is None:
        return None
    middle = STRIP_HEIGHT / 2
    track = draw_across(middle, scale.start, scale.end)
    interval = draw_across(middle, scale.place(row.low), scale.place(row.high))
    return Drawing(
        title="",
        width=STRIP_WIDTH,
        height=STRIP_HEIGHT,
        lines=(
            Line(path=track, kind="grid"),
            Line(path=interval, kind="interval", colour=style.colour),
        ),
        marks=(Mark(x=scale.place(row.mean_rank), y=middle, shape=style.shape, colour=style.colour),),
    )


def _answer(
    questions: Sequence[str], verdicts: Sequence[Verdict], *, several: bool
) -> tuple[VerdictLine, ...]:
    """Return a line for each task, or task on a backbone; a sentence begins without its answer."""
    asked: dict[tuple[str, str], dict[str, Answer]] = {}
    for verdict in verdicts:
        sentence = verdict.sentence.removeprefix(f"{verdict.answer}: ")
        answers = asked.setdefault((verdict.task, verdict.backbone), {})
        answers[verdict.question] = Answer(word=verdict.answer, sentence=sentence)
    return tuple(
        VerdictLine(
            place=f"{task} on {backbone}" if several else task,
            answers=tuple(answers.get(question, Answer()) for question in questions),
        )
        for (task, backbone), answers in asked.items()
    )


def _list_plots(drawn: Iterable[tuple[Block, Drawing | None]]) -> tuple[Plot, ...]:
    return tuple(
        Plot(name=block.name, metric=block.task.metric, drawing=drawing)
        for block, drawing in drawn
        if drawing is not None
    )


def _list_critical(ranking: Ranking, styles: Mapping[str, Style]) -> tuple[Plot, ...]:
    if ranking.test is None or not ranking.test.power:
        return ()
    drawing = draw_critical_difference(ranking.test, styles)
    return (Plot(name="Critical difference", metric="mean rank, 1 is best", drawing=drawing),)


def _list_troubles(comparison: Comparison) -> tuple[Cell, ...]:
    """Return the cells that are missing, then those with failed trials or a note."""
    troubled = [cell for cell in comparison.cells if cell.score is None or cell.trials.failed or cell.note]
    return tuple(sorted(troubled, key=lambda cell: cell.score is not None))


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'s' * (number != 1)}"
