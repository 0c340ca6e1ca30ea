"""The comparison as a page: what stands in it, and that no name becomes markup."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from harness.examples import Media
from harness.judge.comparison import Comparison, Pair, Ranking, RankRow
from harness.modalities.pictures import decode_picture
from harness.record.history import History
from harness.record.incumbents import Incumbents, trace_incumbents
from harness.record.lock import Provenance
from harness.report import html
from harness.report.layout import sanitise
from tests.judge import made_up

SECTIONS = [
    "ranking",
    "verdicts",
    "scores",
    "classes",
    "depth",
    "gap",
    "optimism",
    "troubles",
    "tasks",
    "notes",
]
PROVENANCE = Provenance(
    seed=2026,
    spec="5bec",
    data={"reviews": "da7a"},
    folds={"reviews": "f01d"},
    weights={"minilm": "3e16"},
    versions={"torch": "2.13.0"},
    machine={"system": "Linux"},
)


class Reader(HTMLParser):
    """What a browser would make of a page: its tags with their attributes, and the text of each section."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.others: list[str] = []
        self.texts: dict[str, str] = {}
        self._section = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))
        if tag == "section":
            self._section = dict(attrs)["id"] or ""

    def handle_data(self, data: str) -> None:
        self.texts[self._section] = self.texts.get(self._section, "") + " " + data

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def handle_pi(self, data: str) -> None:
        self.others.append(data)

    def unknown_decl(self, data: str) -> None:
        self.others.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [dict(attributes) for name, attributes in self.tags if name == tag]

    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        """Return the tags with the names of their attributes."""
        return [(tag, tuple(name for name, _ in attributes)) for tag, attributes in self.tags]


@pytest.fixture(scope="module")
def incumbents() -> Incumbents:
    plan = made_up.make_plan(made_up.make_spec())
    return trace_incumbents(plan, History(trials=made_up.fill_history(plan)))


@pytest.fixture(scope="module")
def page(holed: Comparison, incumbents: Incumbents) -> str:
    return html.render(holed, provenance=PROVENANCE, incumbents=incumbents)


def test_no_name_adds_an_element_or_an_attribute(
    hostile: tuple[str, Comparison], harmless: Comparison, incumbents: Incumbents
) -> None:
    name, comparison = hostile
    odd = replace(
        PROVENANCE,
        data={name: name},
        folds={name: name},
        weights={name: name},
        versions={name: name},
        machine={name: name},
    )
    read = Reader(html.render(comparison, provenance=odd, incumbents=incumbents))
    plain = Reader(html.render(harmless, provenance=PROVENANCE, incumbents=incumbents))
    assert read.shape() == plain.shape()
    assert read.others == []
    assert read.tags == plain.tags  # no name stands in an attribute


def test_every_name_stands_there_as_text(hostile: tuple[str, Comparison]) -> None:
    name, comparison = hostile
    page = html.render(comparison)
    assert str(escape(sanitise(name))).replace("&quot;", "&#34;").replace("&#x27;", "&#39;") in page
    for section in ("ranking", "scores", "verdicts", "tasks", "notes"):
        assert sanitise(name) in Reader(page).texts[section]


def test_a_page_asks_for_nothing_and_runs_nothing(page: str) -> None:
    read = Reader(page)
    tags = {tag for tag, _ in read.tags}
    assert not tags & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "base",
        "form",
        "use",
        "image",
        "audio",
    }
    for tag, attributes in read.tags:
        for key, value in attributes:
            assert not key.startswith("on"), f"{tag} {key}"
            assert key not in ("src", "srcset", "style", "action", "data", "poster", "xlink:href"), (
                f"{tag} {key}"
            )
            assert key != "href" or (value or "").startswith("#"), f"{tag} {value}"
            assert "//" not in (value or ""), f"{tag} {value}"
    style = page.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    (policy,) = [
        tag["content"] for tag in read.all("meta") if tag.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_a_page_has_every_section_in_its_order(page: str, holed: Comparison) -> None:
    ids = [section["id"] for section in Reader(page).all("section")]
    assert ids == [*SECTIONS[:7], "search", *SECTIONS[7:], "provenance"]
    assert [section["id"] for section in Reader(html.render(holed)).all("section")] == SECTIONS
    links = [link["href"] for link in Reader(page).all("a")]
    assert links == [f"#{name}" for name in ids]


def test_a_link_to_a_section_has_the_first_words_of_its_heading(page: str) -> None:
    links = dict(re.findall(r'<a href="#(\w+)">([^<]+)</a>', page))
    headings = dict(re.findall(r'<section id="(\w+)"[^>]*>\n<h2>([^<]+)</h2>', page))
    assert list(links) == list(headings)
    for name, heading in headings.items():
        assert f"{heading} ".startswith(f"{links[name]} "), f"{links[name]}: {heading}"


def test_a_note_of_the_ranking_is_not_said_again(holed: Comparison) -> None:
    ranking = replace(holed.ranking, notes=("Ranks rest on 2 tasks.",))
    page = html.render(replace(holed, ranking=ranking, notes=("One.", "Ranks rest on 2 tasks.")))
    assert re.findall(r"<li>([^<]+)</li>", page.partition('<section id="notes"')[2]) == [
        *("One.", "Ranks rest on 2 tasks."),
    ]


def test_all_ids_differ_and_all_references_lead_somewhere(page: str) -> None:
    read = Reader(page)
    ids = [dict(attributes)["id"] for _, attributes in read.tags if "id" in dict(attributes)]
    assert len(ids) == len(set(ids))
    wanted = [
        name
        for _, attributes in read.tags
        for name in (dict(attributes).get("aria-labelledby") or "").split()
    ]
    assert wanted
    assert set(wanted) <= set(ids)


def test_every_element_that_is_opened_is_closed(page: str) -> None:
    stack: list[str] = []
    for slash, tag, rest in re.findall(r"<(/?)([a-z][a-z0-9]*)([^>]*)>", page.partition("</style>")[2]):
        if rest.endswith("/"):
            continue
        if slash:
            assert stack.pop() == tag if stack else tag in ("head", "html")
        else:
            stack.append(tag)
    assert not stack


def test_every_plot_says_in_words_what_it_shows(page: str) -> None:
    read = Reader(page)
    plots = [svg for svg in read.all("svg") if svg.get("role") == "img"]
    assert len(plots) == len(read.all("desc")) == len(read.all("figcaption")) == 12
    assert "depth .711 [.66,.76], 4 of 6 blocks frozen" in read.texts["depth"]
    assert all(svg.get("role") == "img" or svg.get("aria-hidden") == "true" for svg in read.all("svg"))


def test_the_ranking_shows_rank_interval_tier_chance_and_pairs(page: str) -> None:
    words = " ".join(Reader(page).texts["ranking"].split())
    assert "A depth 1.0 [1.0,2.5] .66 5 · 0 · 0 A full 2.0 [1.0,3.0] .29" in words
    assert "head-only 3.0 [1.5,3.0]" in words


def test_scores_stand_with_their_intervals_and_baselines_below_a_rule(page: str) -> None:
    scores = page.partition('<section id="scores">')[2].partition("</section>")[0]
    arms, baselines = scores.split("<tbody>")[1:]
    assert re.findall(r'scope="row" class="name">([^<]+)', arms) == ["depth", "full", "head-only"]
    assert re.findall(r'scope="row" class="name">([^<]+)', baselines) == [
        *("majority", "classical", "generic", "probe"),
    ]
    assert ".711 <small>[.66,.76]</small>" in re.sub(r"</?b>", "", arms)
    assert '<td class="score missing">missing</td>' in arms


def test_bold_is_only_the_arm_that_beats_every_other(holed: Comparison) -> None:
    def pair(first: str, second: str, p: float) -> Pair:
        shown = {"difference": 0.1, "low": 0.0, "high": 0.2, "worse": 0.0, "equivalent": 0.0, "better": 1.0}
        return Pair(task="reviews", backbone="minilm", first=first, second=second, p=p, rope=0.01, **shown)

    def list_bold(*pairs: Pair) -> list[str]:
        return re.findall(r"<td class=\"score\"><b>([^<]+)</b>", html.render(replace(holed, pairs=pairs)))

    second = pair("full", "head-only", 0.001)
    assert list_bold(pair("depth", "full", 0.01), pair("depth", "head-only", 0.01), second) == [".711"]
    assert list_bold(pair("depth", "full", 0.2), pair("depth", "head-only", 0.01), second) == []
    assert list_bold() == []


def test_a_missing_cell_and_a_failure_stand_with_their_reasons(page: str, whole: Comparison) -> None:
    text = Reader(page).texts["troubles"]
    assert "no complete trial (2 failed, 1 pruned): out of memory" in text
    assert "1 pruned of 3 trials" in text
    assert text.index("intents") < text.index("reviews")  # the missing one first
    assert "Every cell has a score, and no trial failed." in Reader(html.render(whole)).texts["troubles"]


def test_verdicts_stand_in_words_without_repeating_their_answer(page: str) -> None:
    text = Reader(page).texts["verdicts"]
    for word in (
        "does fine-tuning pay?",
        "how deep to freeze?",
        "is it overfitting?",
        "cannot tell",
        "4 to 4 of 6",
    ):
        assert word in text
    assert "cannot tell:" not in text


def test_provenance_has_seed_digests_versions_and_machine(page: str) -> None:
    text = Reader(page).texts["provenance"].split()
    assert {"2026", "5bec", "da7a", "f01d", "3e16", "torch", "2.13.0", "Linux"} <= set(text)


def test_incumbents_only_rise_where_higher_is_better(incumbents: Incumbents) -> None:
    assert len(incumbents.curves) == 9
    for curve in incumbents.curves.values():
        scores = [best for _, best in curve]
        assert scores == sorted(scores)
        assert [trial for trial, _ in curve] == [0, 1, 2]
        assert scores[1] == scores[2] > scores[0]


def test_incumbents_of_an_error_only_fall_and_skip_what_did_not_complete() -> None:
    plan = made_up.make_plan(made_up.make_spec(), metric="rmse", higher_is_better=False)
    trials = dict(made_up.fill_history(plan))
    study = next(study.id for study in plan.studies if study.kind == "arm")
    trials[study, 0] = replace(trials[study, 0], state="pruned")
    curves = trace_incumbents(plan, History(trials=trials)).curves
    assert [trial for trial, _ in curves[study]] == [1, 2]
    assert curves[study][0][1] > curves[study][1][1]


def test_a_page_of_nothing_known_says_so(whole: Comparison) -> None:
    cells = tuple(
        replace(cell, score=None, low=None, high=None, gap=None, optimism=None, raw_best=None, note="nothing")
        for cell in whole.cells
    )
    rows = tuple(RankRow(arm=row.arm, mean_rank=None) for row in whole.ranking.rows)
    bare = replace(whole, cells=cells, ranking=Ranking(rows=rows, blocks=0), pairs=(), verdicts=(), notes=())
    texts = Reader(html.render(bare)).texts
    assert "No arm has a score at a known depth." in texts["depth"]
    assert "No gap is known." in texts["gap"]
    assert "No optimism was estimated." in texts["optimism"]
    assert "verdicts" not in texts


@pytest.mark.parametrize("value", [1e300, -1e300, 1e-300, 0.0])
def test_a_page_is_drawn_whatever_the_numbers(whole: Comparison, value: float) -> None:
    tasks = tuple(replace(task, bounds=(-math.inf, math.inf)) for task in whole.tasks)
    cells = tuple(
        replace(cell, score=value, low=value, high=value, gap=value, optimism=value, fold_gaps=(value,))
        for cell in whole.cells
    )
    page = html.render(replace(whole, tasks=tasks, cells=cells))
    assert not re.search(r'd="[^"]*(nan|inf)', page)


def test_two_backbones_of_a_task_are_told_apart(whole: Comparison) -> None:
    other = tuple(replace(cell, backbone="bert") for cell in whole.cells)
    read = Reader(html.render(replace(whole, cells=whole.cells + other)))
    assert "reviews on bert" in read.texts["depth"]
    assert len([svg for svg in read.all("svg") if svg.get("role") == "img"]) == 18


@pytest.mark.whole
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 800, 1280])
def test_a_browser_shows_the_page_within_its_width(
    page: str, tmp_path: Path, width: int, scheme: str
) -> None:
    picture = shoot(page, tmp_path, width, scheme)
    assert has_margins(picture)
    assert (picture.mean() > 200) == (scheme == "light")
    assert (picture[:, 20:-20] != picture[0, 0]).any(axis=2).any(axis=1).sum() > 500


@pytest.mark.whole
def test_long_names_stay_within_the_page(endless: Comparison, tmp_path: Path) -> None:
    assert has_margins(shoot(html.render(endless, provenance=PROVENANCE), tmp_path, 400, "light"))


@pytest.mark.whole
def test_what_is_too_wide_would_be_seen(page: str, tmp_path: Path) -> None:
    wide = page.replace("</style>", ".scroll { overflow: visible; } table { width: 30rem; }</style>")
    assert not has_margins(shoot(wide, tmp_path, 400, "light"))


def has_margins(picture: np.ndarray) -> bool:
    """Tell whether nothing reaches into the margins: 16 px at least, less what antialiasing takes."""
    margins = np.concatenate([picture[:, -12:], picture[:, :12]], axis=1)
    return bool((margins == picture[0, 0]).all())


def shoot(page: str, folder: Path, width: int, scheme: str) -> np.ndarray:
    """Return the pixels of a page in headless Chromium; (height, width, 3)."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("needs a browser: apt-get install chromium")
    (folder / "report.html").write_text(page, encoding="utf-8")
    command = [
        *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
        f"--blink-settings=preferredColorScheme={int(scheme == 'light')}",
        f"--user-data-dir={folder / 'profile'}",
        f"--screenshot={folder / 'page.png'}",
        f"--window-size={width},5000",
        (folder / "report.html").as_uri(),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    picture = decode_picture(Media(file=folder / "page.png"))
    assert picture.shape[:2] == (5000, width)
    return picture
