"""Figures for a paper: which there are, what they hold, and that no name breaks one."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import get_args, get_type_hints

import matplotlib as mpl
import pytest

from harness.errors import EnvironmentFault
from harness.judge.comparison import Comparison, Ranking
from harness.report import paper
from harness.report.drawing import DOT, SHAPES, Drawing, Label, Line, Style
from harness.report.figures import FIGURES, plot_depth, plot_ranking, write_figures
from harness.report.layout import sanitise
from harness.report.paper import Figure, Form, Panel
from tests.report.conftest import HOSTILE, rename
from tests.report.test_importance import weigh
from tests.report.test_learning import add_curves

MAGIC: dict[Form, bytes] = {"pdf": b"%PDF-", "png": b"\x89PNG\r\n", "svg": b"<?xml"}
SVG = "{http://www.w3.org/2000/svg}"


def read_words(svg: bytes) -> list[str]:
    """Return what an SVG writes, which also says that it is well-formed."""
    return ["".join(text.itertext()) for text in ET.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("form", ["pdf", "png", "svg"])
def test_every_figure_is_a_file_of_its_form_in_the_runs_folder(
    whole: Comparison, tmp_path: Path, form: Form
) -> None:
    paths = write_figures(tmp_path, whole, form)
    assert paths == tuple(
        tmp_path / "figures" / f"{n}.{form}" for n in ("ranking", "depth", "gap", "optimism")
    )
    assert sorted(paths) == sorted((tmp_path / "figures").iterdir())
    assert all(path.read_bytes().startswith(MAGIC[form]) for path in paths)


@pytest.mark.parametrize("form", ["pdf", "png", "svg"])
def test_a_figure_has_the_same_bytes_whenever_it_is_made(whole: Comparison, form: Form) -> None:
    figure = plot_depth(whole)
    assert figure is not None
    first = paper.render(figure, form)
    assert first == paper.render(figure, form)
    assert b"CreationDate" not in first
    assert b"dc:date" not in first


def test_a_figure_says_what_the_comparison_says(whole: Comparison) -> None:
    figure = plot_ranking(whole)
    assert figure is not None
    words = read_words(paper.render(figure, "svg"))
    for row in whole.ranking.rows:
        assert row.arm in words
        assert f"{row.mean_rank:.1f} [{row.low:.1f},{row.high:.1f}]" in words


@pytest.mark.parametrize("form", ["pdf", "png", "svg"])
def test_names_that_attack_are_text_in_every_form(form: Form) -> None:
    labels = tuple(Label(x=0, y=12.0 * line, text=name) for line, name in enumerate(HOSTILE))
    data = paper.render(Figure(panels=(Panel(drawing=Drawing(title="", height=600, labels=labels)),)), form)
    assert data.startswith(MAGIC[form])
    if form == "svg":
        assert [word.strip() for word in read_words(data)] == [sanitise(name).strip() for name in HOSTILE]


def test_a_comparison_of_names_that_attack_has_all_figures(holed: Comparison) -> None:
    for name in ("$_{x}$\x1b[2J<b>", "\u202egnp.exe" * 20):
        figures = {kind: draw(rename(holed, name)) for kind, draw in FIGURES.items()}
        assert {kind for kind, figure in figures.items() if figure} == {
            "ranking",
            "depth",
            "gap",
            "optimism",
        }
        assert all(read_words(paper.render(figure, "svg")) for figure in figures.values() if figure)


def test_no_sign_in_a_name_is_mathematics() -> None:
    names = ["$x_1$ and $y$", "a$b", r"$\frac{1}{2}$", "\\alpha", "50 % & <b>"]
    panels = tuple(Panel(name=name, metric="$m$", drawing=Drawing(title="", height=20)) for name in names)
    words = read_words(paper.render(Figure(panels=panels), "svg"))
    assert words == [word for name in names for word in (name, "$m$")]


@pytest.mark.parametrize("form", ["pdf", "png", "svg"])
def test_letters_that_no_font_has_are_no_fault(form: Form) -> None:
    names = ("模型", "\U00012000\U00012001", "नमस्ते", "\ufffe", "🙂", "مرحبا")
    labels = tuple(Label(x=0, y=20.0 * line, text=name) for line, name in enumerate(names))
    data = paper.render(Figure(panels=(Panel(drawing=Drawing(title="", height=200, labels=labels)),)), form)
    if form == "svg":
        assert read_words(data) == [name.replace("\ufffe", "\ufffd") for name in names]


def test_letters_in_a_pdf_are_letters(whole: Comparison) -> None:
    figure = plot_ranking(whole)
    assert figure is not None
    data = paper.render(figure, "pdf")
    assert b"/Type3" not in data
    assert b"/CIDFontType2" in data


def test_somebodys_own_settings_change_nothing_and_are_left_alone(whole: Comparison) -> None:
    figure = plot_ranking(whole)
    assert figure is not None
    plain = paper.render(figure, "svg")
    with mpl.rc_context({"font.size": 30, "text.color": "red", "savefig.bbox": "tight"}):
        assert paper.render(figure, "svg") == plain
        assert mpl.rcParams["font.size"] == 30


def test_a_figure_is_as_wide_as_a_column_and_many_panels_take_two() -> None:
    panel = Panel(name="reviews", metric="auc", drawing=Drawing(title="", height=100))
    for count, width, height in ((1, 241, 1), (3, 241, 3), (4, 241 * 744 / 360, 2)):
        svg = ET.fromstring(paper.render(Figure(panels=(panel,) * count), "svg"))
        assert float(svg.attrib["width"].removesuffix("pt")) == pytest.approx(width, abs=0.01)
        # caption 22, drawing 100, below it 12
        assert float(svg.attrib["height"].removesuffix("pt")) == pytest.approx(
            134 * height * 241 / 360, abs=0.01
        )


def test_a_long_legend_breaks_into_lines() -> None:
    arms = tuple(Style(arm=f"arm number {n}", colour=n % 7, shape=SHAPES[n % 6]) for n in range(8))
    panel = Panel(drawing=Drawing(title="", height=100))
    svg = ET.fromstring(paper.render(Figure(panels=(panel,), legend=arms), "svg"))
    assert float(svg.attrib["height"].removesuffix("pt")) > (112 + 2 * 18) * 241 / 360
    assert {style.arm for style in arms} <= set(read_words(ET.tostring(svg)))


def test_every_shape_has_the_size_that_its_path_says() -> None:
    sizes = [paper._read_path(shape).get_extents().size.tolist() for shape in (*SHAPES, DOT)]
    wanted = [[8, 8], [7.2, 7.2], [9.2, 8.4], [10.4, 10.4], [9.2, 8.4], [9.2, 9.2], [3.6, 3.6]]
    for size, width in zip(sizes, wanted, strict=True):
        assert size == pytest.approx(width)


def test_a_figure_that_has_nothing_to_show_is_removed(whole: Comparison, tmp_path: Path) -> None:
    write_figures(tmp_path, whole, "svg")
    empty = replace(whole, ranking=Ranking(rows=(), blocks=0))
    assert "ranking.svg" not in {path.name for path in write_figures(tmp_path, empty, "svg")}
    assert not (tmp_path / "figures" / "ranking.svg").exists()
    assert (tmp_path / "figures" / "gap.svg").exists()


def test_without_matplotlib_the_extra_is_named_and_nothing_is_written(
    whole: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'finetune-harness\[figures\]'") as caught:
        write_figures(tmp_path, whole, "pdf")
    assert caught.value.exit_code == 3
    assert list(tmp_path.iterdir()) == []


def test_who_wants_no_figure_does_not_import_matplotlib() -> None:
    code = "import sys, harness.report.figures, harness.report.write; print('matplotlib' in sys.modules)"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(root)},
        check=True,
    )
    assert done.stdout.strip() == "False"


def test_paper_knows_every_kind_of_line_that_a_drawing_has() -> None:
    kinds = get_type_hints(Line)["kind"]
    assert set(paper.STROKES) == set(get_args(kinds))


def test_learning_curves_and_importances_have_figures_where_there_are_any(whole: Comparison) -> None:
    weighed = weigh(add_curves(whole))
    for draw in (FIGURES["learning"], FIGURES["importance"]):
        assert draw(whole) is None
        figure = draw(weighed)
        assert figure is not None
        assert "reviews" in read_words(paper.render(figure, "svg"))
