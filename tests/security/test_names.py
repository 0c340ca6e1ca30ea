"""Names out of data: shown as they are, never a file's name, never a command to a terminal, a page or a table."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from pathlib import Path

import pytest

from harness.cli.main import run
from tests.report.conftest import HOSTILE
from tests.security.conftest import write_suite

NFC, NFD = unicodedata.normalize("NFC", "café"), unicodedata.normalize("NFD", "café")
NAMES = (
    "../../x",
    "CON",
    "/etc/passwd",
    "x" * 300,
    NFC,
    NFD,
    "..",
    ".",
    "a/b\\c",
    "名前",
    "~",
    "$(touch x)",
    "%00",
)
SAFE = re.compile(r"\.?[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u200b\u2028]")


def write_hostile(folder: Path) -> None:
    """Write data whose labels, groups, ids and columns are all names that attack."""
    names = [
        name for name in (*NAMES, *HOSTILE) if name.strip() and "\ud800" not in name and "\0" not in name
    ]
    with (folder / "texts.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        rows.writerow(["text", "label", "author", "row", "=1+1", "../../x"])
        for number, name in enumerate(names * 4):
            label = names[number % 4]
            rows.writerow([f"a text of {name} {number}", label, name, f"{name}-{number}", name, name])


def test_no_name_out_of_data_names_a_file(
    tmp_path: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "a" / "b" / "c"
    place.mkdir(parents=True)
    monkeypatch.chdir(place)
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    spec = write_suite(place, tiny_bert)
    spec.write_text(spec.read_text().replace("group: author", "group: author, id: row"))
    write_hostile(place)
    given = set(tmp_path.rglob("*"))
    assert run(["run", "small.yaml", "--offline"]) == 0
    assert run(["report", "small"]) == 0
    said = capfd.readouterr()
    made = set(tmp_path.rglob("*")) - given
    assert made
    for path in made:
        assert path.is_relative_to(place / "results") or path.is_relative_to(place / "cache")
        assert all(SAFE.fullmatch(part) for part in path.relative_to(place).parts), path
    assert not CONTROLS.search(said.out + said.err.replace("\r", ""))
    facts = json.loads((place / "results" / "small" / "lock.json").read_text())["survey"]["tasks"]["mood"]
    assert sorted(facts["labels"]) == sorted(NAMES[:4])  # as they are, however they look


def test_letters_that_look_the_same_are_told_apart_and_told(tmp_path: Path) -> None:
    from harness import plugins

    rows = "".join(f"text {number},{label}\n" for number, label in enumerate((NFC, NFD) * 2))
    (tmp_path / "a.csv").write_text(f"text,label\n{rows}", encoding="utf-8")
    module = plugins.find("readers", "csv")
    options = module.Options(csv="a.csv", text="text", label="label")
    examples = module.read(options, base=tmp_path, modality="text")
    assert set(examples.targets) == {NFC, NFD}
    assert any("differ by case, blanks or accents that look the same only" in note for note in examples.notes)


@pytest.mark.parametrize(
    "name", [name for name in (*NAMES, *HOSTILE) if name.isprintable() or "\x1b" in name]
)
def test_a_first_spec_for_data_with_any_names_is_a_spec(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A column's name goes into a page of YAML: it must not become keys of it."""
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "my data.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["review", name])
        rows.writerows([f"some words about {number}", f"{name}-{number % 2}"] for number in range(40))
    assert run(["init", "my.yaml", "--data", "my data.csv", "--text", "review", "--label", name]) == 0
    assert run(["validate", "my.yaml"]) == 0
    assert not CONTROLS.search((tmp_path / "my.yaml").read_text(encoding="utf-8"))
    assert {path.name for path in tmp_path.iterdir()} == {"my data.csv", "my.yaml"}
    assert not CONTROLS.search(capfd.readouterr().err)


@pytest.mark.parametrize("name", [name for name in HOSTILE if name not in ("+1", "-1")])  # those are scores
def test_an_error_that_quotes_data_moves_no_cursor(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Even where a message forgets to escape: the one that writes errors does."""
    scores = tmp_path / "scores.csv"
    with scores.open("w", encoding="utf-8", errors="surrogatepass", newline="") as file:
        csv.writer(file).writerows([["task", "a", "b"], ["one", name, name], ["two", "1", "2"]])
    assert run(["rank", str(scores)]) == 2
    said = capfd.readouterr()
    assert not CONTROLS.search(said.err)
    assert said.out == ""


def test_an_asset_by_a_path_is_no_asset(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["layers", "asset:../../../etc", "--offline"]) == 2
    assert "no asset is called '../../../etc'" in capfd.readouterr().err
