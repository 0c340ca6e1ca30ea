"""The details of a cell in every format: further metrics, classes, gaps to the test, depths and components."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections import Counter
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from harness.judge.by_depth import DepthScore
from harness.judge.classes import ClassScore, ClassTable
from harness.judge.comparison import Cell, Comparison, FurtherMetric, FurtherScore
from harness.judge.stats import split_components
from harness.report import csv as as_csv
from harness.report import html, latex, markdown
from harness.report import json as as_json
from harness.report.blocks import list_blocks
from harness.report.confusion import MOST_CLASSES, MOST_PAIRS, show_weight, view_classes
from harness.report.depths import draw_depths
from harness.report.drawing import style_arms
from harness.report.strips import draw_gaps
from tests.report.test_latex import COMMANDS, ESCAPES, count_cells
from tests.report.test_page import Reader

LABELS = ("cat", "dog", "eel")
COUNTS = ((8, 2, 0), (1, 3, 0), (5, 0, 0))
LAYOUT = [
    [[0.1, 0.3], [0.5, 0.7]],
    [[0.2, 0.4], [1.0, 1.2]],
]  # a tenth of what the statistics' own test works out
DEPTHS = (
    DepthScore(depth=0, score=0.70, low=0.60, high=0.80, trials=2),
    DepthScore(depth=4, score=0.72, low=None, high=None, trials=1),
    DepthScore(depth=6, score=0.68, low=-5.0, high=5.0, trials=1),
)


def tabulate(labels: tuple[str, ...] = LABELS, counts: tuple[tuple[float, ...], ...] = COUNTS) -> ClassTable:
    classes = tuple(
        ClassScore(
            label=label,
            support=sum(row),
            precision=0.5,
            recall=row[place] / sum(row),
            low=0.25,
            high=0.75,
            f1=None,
        )
        for place, (label, row) in enumerate(zip(labels, counts, strict=True))
    )
    return ClassTable(
        task="reviews",
        backbone="minilm",
        arm="full",
        trial=2,
        weighted=False,
        classes=classes,
        confusion=tuple(tuple(map(float, row)) for row in counts),
    )


def detail(comparison: Comparison, *, name: str = "log-loss", table: ClassTable | None = None) -> Comparison:
    """Return the comparison with every detail on its first task: two further metrics, one of which is called `name`."""
    first = comparison.tasks[0]
    metrics = (
        FurtherMetric(name="accuracy", higher_is_better=True, bounds=(0.0, 1.0)),
        FurtherMetric(name=name, higher_is_better=False, bounds=(0.0, math.inf)),
    )

    def fill(cell: Cell) -> Cell:
        if cell.task != first.name:
            return cell
        cell = replace(
            cell,
            metrics=(
                FurtherScore(name="accuracy", value=0.75, low=0.7, high=0.8),
                FurtherScore(name=name, value=1.5, low=1.25, high=None),
            ),
            test_score=0.65,
            test_gap=0.05,
        )
        if cell.kind == "baseline":
            return cell
        return replace(cell, depths=DEPTHS, components=split_components(LAYOUT))

    return replace(
        comparison,
        tasks=(replace(first, metrics=metrics), *comparison.tasks[1:]),
        cells=tuple(map(fill, comparison.cells)),
        classes=(replace(table or tabulate(), task=first.name, backbone=comparison.cells[0].backbone),),
    )


@pytest.fixture(scope="module")
def detailed(whole: Comparison) -> Comparison:
    return detail(whole)


@pytest.fixture
def attacked(hostile: tuple[str, Comparison]) -> tuple[str, Comparison]:
    """Every detail with an attacking name for a metric and for a class."""
    name, comparison = hostile
    return name, detail(comparison, name=name, table=tabulate(labels=(name, "dog", "eel")))


@pytest.fixture(scope="module")
def peaceful(harmless: Comparison) -> Comparison:
    return detail(harmless, name="name", table=tabulate(labels=("name", "dog", "eel")))


def pick(document: dict[str, list[dict[str, object]]], arm: str, task: str = "reviews") -> dict[str, object]:
    (cell,) = [cell for cell in document["cells"] if (cell["arm"], cell["task"]) == (arm, task)]
    return cell


def test_json_has_every_detail(detailed: Comparison) -> None:
    document = json.loads(as_json.render(detailed))
    cell = pick(document, "full")
    assert cell["metrics"] == {
        "accuracy": {"value": 0.75, "low": 0.7, "high": 0.8},
        "log-loss": {"value": 1.5, "low": 1.25, "high": None},
    }
    assert cell["test_gap"] == 0.05
    assert cell["depths"][0] == {"depth": 0, "score": 0.7, "low": 0.6, "high": 0.8, "trials": 2}
    assert [depth["low"] for depth in cell["depths"]] == [0.6, None, -5.0]
    assert cell["components"] == {
        "mean": pytest.approx(0.55),
        "fold_sd": pytest.approx(0.4),
        "seed_sd": pytest.approx(0.1 * math.sqrt(2)),
        "residual_sd": pytest.approx(0.1 * math.sqrt(3)),
        "trials": 2,
        "folds": 2,
        "seeds": 2,
    }
    assert pick(document, "probe")["components"] is None
    assert pick(document, "full", "tickets")["metrics"] == {}
    (table,) = document["classes"]
    assert (table["task"], table["arm"], table["trial"], table["weighted"]) == ("reviews", "full", 2, False)
    assert table["confusion"] == [[8, 2, 0], [1, 3, 0], [5, 0, 0]]
    assert table["classes"][0] == {
        "label": "cat",
        "support": 10,
        "precision": 0.5,
        "recall": 0.8,
        "low": 0.25,
        "high": 0.75,
        "f1": None,
    }


def test_json_says_null_of_a_further_metric_that_a_cell_lacks(detailed: Comparison) -> None:
    cells = tuple(replace(cell, metrics=()) for cell in detailed.cells)
    document = json.loads(as_json.render(replace(detailed, cells=cells)))
    assert pick(document, "full")["metrics"]["accuracy"] == {"value": None, "low": None, "high": None}


def test_csv_has_three_columns_for_each_further_metric(detailed: Comparison) -> None:
    header, *lines = csv.reader(io.StringIO(as_csv.render(detailed)))
    assert header[-6:] == [
        *("metric:accuracy", "metric:accuracy:low", "metric:accuracy:high"),
        *("metric:log-loss", "metric:log-loss:low", "metric:log-loss:high"),
    ]
    rows = [dict(zip(header, line, strict=True)) for line in lines]
    first = next(row for row in rows if (row["task"], row["arm"]) == ("reviews", "full"))
    assert [first[name] for name in header[-6:]] == ["0.75", "0.7", "0.8", "1.5", "1.25", ""]
    assert first["test_gap"] == "0.05"
    other = next(row for row in rows if row["task"] == "tickets")
    assert [other[name] for name in header[-6:]] == [""] * 6


def test_markdown_has_a_table_of_further_metrics_and_says_that_they_are_raw(detailed: Comparison) -> None:
    text = markdown.render(detailed)
    assert "Further metrics of the best trials, raw: not corrected for their choice." in text
    assert "| arm | accuracy ↑ | log-loss ↓ |" in text
    assert "| full | .750 [.70,.80] | 1.50 |" in text
    assert "| probe | .750 [.70,.80] | 1.50 |" in text
    assert text.count("### Further metrics\n\nFurther metrics of") == text.count("Further metrics of") == 1


def test_markdown_names_the_most_confused_classes(detailed: Comparison) -> None:
    text = markdown.render(detailed)
    told = "most often takes “eel” for “cat” (5 of 5), “cat” for “dog” (2 of 10), “dog” for “cat” (1 of 4)."
    assert f"### Classes\n\nThe best arm, full, {told}" in text
    assert text.count("### Classes") == 1  # the other tasks have none
    right = replace(detailed, classes=(tabulate(counts=((8, 0, 0), (0, 3, 0), (0, 0, 5))),))
    assert "The best arm, full, takes no class for another." in markdown.render(right)


def test_markdown_tells_what_moves_a_score_only_where_it_is_known(
    detailed: Comparison, whole: Comparison
) -> None:
    text = markdown.render(detailed)
    assert "## What moves a score" in text
    assert "| reviews | full | .550 | .400 | .141 | .173 | 2 × 2 × 2 |" in text
    assert "What moves a score" not in markdown.render(whole)
    assert "What moves a score" not in html.render(whole)


def test_latex_has_a_table_of_further_metrics(detailed: Comparison, whole: Comparison) -> None:
    text = latex.render(detailed).removeprefix(latex.render(whole).rstrip("\n"))
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 1
    assert r"quickstart, reviews: further metrics of the best trials" in text
    assert r"Arm & accuracy $\uparrow$ & log-loss $\downarrow$ \\" in text
    assert r"full & .750 {\scriptsize [.70,.80]} & 1.50 \\" in text


def test_a_page_shows_every_detail_in_its_section(detailed: Comparison) -> None:
    texts = {name: " ".join(text.split()) for name, text in Reader(html.render(detailed)).texts.items()}
    assert "reviews full .550 .400 .141 .173 2 × 2 × 2" in texts["moves"]
    assert "Further metrics" in texts["scores"]
    assert "full .750 [.70,.80] 1.50" in texts["scores"]
    assert "raw: not corrected" in texts["scores"]
    assert "1 cat 10 .50 .80 [.25,.75] –" in texts["classes"]
    assert "1 cat 8 2 0 2 dog 1 3 0 3 eel 5 0 0" in texts["classes"]
    assert "Hollow: how much better the trial scored on the validation folds" in texts["gap"]
    assert "validation minus test .05" in texts["gap"]
    assert (
        "full by depth, raw: 0 frozen .700 [.60,.80] of 2 trials, 4 frozen .720 of 1 trial" in texts["depth"]
    )


def test_the_matrix_is_shaded_by_the_share_of_its_row(detailed: Comparison) -> None:
    (view,) = view_classes(detailed)
    shades = [[(count.text, count.shade, count.right) for count in line.counts] for line in view.lines]
    assert shades == [
        [("8", 4, True), ("2", 1, False), ("0", 0, False)],
        [("1", 2, False), ("3", 4, True), ("0", 0, False)],
        [("5", 5, False), ("0", 0, False), ("0", 0, True)],
    ]
    page = html.render(detailed)
    assert '<td class="right4">8</td>' in page
    assert '<td class="wrong5">5</td>' in page
    for kind in ("right", "wrong"):
        assert all(f".{kind}{shade} {{" in page or f".{kind}{shade}, " in page for shade in range(6))


def test_many_classes_are_told_by_their_most_confused_pairs(whole: Comparison) -> None:
    size = MOST_CLASSES + 1
    counts = tuple(
        tuple(
            100 if row == column else (row + 1 if column == (row + 1) % size else 0) for column in range(size)
        )
        for row in range(size)
    )
    table = tabulate(labels=tuple(f"class-{place:02d}" for place in range(size)), counts=counts)
    (view,) = view_classes(detail(whole, table=table))
    assert (view.classes, view.lines, len(view.pairs), view.others) == (size, (), MOST_PAIRS, 1)
    assert (view.pairs[0].target, view.pairs[0].predicted) == ("class-12", "class-00")
    assert (view.pairs[0].count, view.pairs[0].support) == ("13", "113")
    text = " ".join(Reader(html.render(detail(whole, table=table))).texts["classes"].split())
    assert "The most confused pairs of 13 classes; 1 more in table.json." in text
    assert "class-12 class-00 13 of 113" in text
    right = replace(table, confusion=tuple(tuple(100 * (a == b) for a in range(size)) for b in range(size)))
    assert "None of 13 classes was taken" in Reader(html.render(detail(whole, table=right))).texts["classes"]


@pytest.mark.parametrize(("weight", "text"), [(3.0, "3"), (1200.0, "1200"), (2.5, "2.5"), (0.12345, "0.123")])
def test_counts_are_whole_and_weights_are_rounded(weight: float, text: str) -> None:
    assert show_weight(weight) == text


def test_a_band_stays_on_the_plot_however_wide_it_is(detailed: Comparison) -> None:
    block = list_blocks(detailed)[0]
    drawing = draw_depths(block, style_arms(detailed))
    assert drawing is not None
    bands = [line.path for line in drawing.lines if line.kind == "band"]
    assert len(bands) == len(block.arms)
    places = [float(y) for band in bands for y in re.findall(r",([\d.]+)", band)]
    assert min(places) >= 12
    assert max(places) <= 190
    thin = [line.path.count(",") for line in drawing.lines if line.kind == "thin"]
    assert thin == [3] * len(block.arms)  # a depth without an interval is on the line, and not in the band
    assert all(band.count(",") == 4 for band in bands)
    dots = [
        mark for mark in drawing.marks if mark.hint.startswith("full: ") and "of 6 blocks" not in mark.hint
    ]
    assert [mark.hint.partition(" frozen")[0] for mark in dots] == ["full: 0", "full: 4", "full: 6"]


def test_an_arm_with_one_depth_has_no_band(whole: Comparison) -> None:
    for block in list_blocks(whole):
        drawing = draw_depths(block, style_arms(whole))
        assert drawing is not None
        assert not {line.kind for line in drawing.lines} & {"band", "thin"}
    assert "as a band" not in html.render(whole)


def test_the_strip_of_gaps_shows_both_gaps_where_a_test_was_opened(detailed: Comparison) -> None:
    drawn = {
        block.task.name: drawing for block, drawing in draw_gaps(list_blocks(detailed), style_arms(detailed))
    }
    tested, other = drawn["reviews"], drawn["tickets"]
    assert [mark.hint for mark in tested.marks if mark.kind == "hollow"] == [
        "depth: validation minus test .05",
        "full: validation minus test .05",
        "head-only: validation minus test .05",
    ]
    assert [label.text for label in tested.labels if label.kind == "value"] == [".06 · .05"] * 3
    assert [mark for mark in other.marks if mark.kind == "hollow"] == []
    assert {label.text for label in other.labels if label.kind == "value"} == {".06"}


def test_no_detail_adds_an_element_or_an_attribute(
    attacked: tuple[str, Comparison], peaceful: Comparison
) -> None:
    read, plain = Reader(html.render(attacked[1])), Reader(html.render(peaceful))
    assert read.tags == plain.tags
    assert read.others == []
    assert "cat" not in read.texts["classes"]


def test_no_detail_becomes_markup_in_markdown(attacked: tuple[str, Comparison]) -> None:
    text = markdown.render(attacked[1])
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    assert {part.type for token in tokens for part in token.children or ()} <= {"text", "text_special"}
    kinds = Counter(token.type for token in tokens)
    assert kinds["table_open"] == 6
    assert not {"html_block", "fence", "code_block", "blockquote_open", "ordered_list_open"} & set(kinds)
    assert not re.search(r"(?<!\\)://|(?<!\\)@|www\.|(?<!\\):\w+:", text)


def test_no_detail_is_a_command_of_latex(attacked: tuple[str, Comparison], peaceful: Comparison) -> None:
    text, plain = latex.render(attacked[1]), latex.render(peaceful)
    assert set(re.findall(r"\\([a-zA-Z]+|.)", text)) - {"\n"} <= COMMANDS | ESCAPES
    assert count_cells(text) == count_cells(plain)
    assert not re.search(r"(\\\\|rule)\s*[\[*]", text)


def test_no_metric_breaks_a_line_of_csv_or_is_a_formula(attacked: tuple[str, Comparison]) -> None:
    header, *lines = csv.reader(io.StringIO(as_csv.render(attacked[1])))
    assert all(len(line) == len(header) for line in lines)
    assert not any(name.lstrip().startswith(tuple("=+-@＝＋－＠\t\r\n")) for name in header)
    assert json.loads(as_json.render(attacked[1]))["classes"][0]["classes"][0]["label"] == attacked[0]
