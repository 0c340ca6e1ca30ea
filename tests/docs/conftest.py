"""A folder in which the pages' examples run: the data they name, and a tiny model in the place of a real one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import plugins
from harness.cli.main import run
from tests.docs.pages import ROOT, list_blocks


@pytest.fixture
def workshop(
    tmp_path: Path, text_csv: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A reader's working directory, with the data and the spec of the pages; its asset `minilm-l6` is tiny."""
    folder = tmp_path / "workshop"
    assets = tmp_path / "assets"
    folder.mkdir()
    assets.mkdir()
    _widen(tiny_bert, assets / "minilm-l6")
    shutil.copyfile(text_csv, folder / "reviews.csv")
    shutil.copyfile(text_csv, folder / "my.csv")
    (folder / "ratings.txt").write_text(_as_ratings(text_csv), encoding="utf-8")
    (folder / "reviews.yaml").write_text(_find_spec(), encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HARNESS_ASSETS", str(assets))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    before = plugins.folders()
    yield folder
    _set_folders(before)


@pytest.fixture
def finished(workshop: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The workshop with the run `results/reviews` in it."""
    assert run(["run", "reviews.yaml", "--workers", "1", "--quiet"]) == 0, capsys.readouterr().err
    capsys.readouterr()
    return workshop


def _find_spec() -> str:
    blocks = list_blocks(ROOT / "docs" / "python.md")
    return next(block.text for block in blocks if block.mark("file") == "reviews.yaml")


def _widen(tiny: Path, folder: Path) -> None:
    """Write a tiny model with room for as many tokens as the pages ask for."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    BertTokenizer.from_pretrained(tiny, model_max_length=512).save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        BertModel(BertConfig.from_pretrained(tiny, max_position_embeddings=512)).save_pretrained(folder)


def _as_ratings(table: Path) -> str:
    rows = [line.split(",") for line in table.read_text(encoding="utf-8").splitlines()[1:]]
    return "".join(f"__label__{score} {text}\n" for text, _, score, _ in rows)


def _set_folders(folders: tuple[Path, ...]) -> None:
    """Let the process forget the plug-in folders of a page: it has no public way, for no user needs one."""
    plugins._folders[:] = folders
    plugins._sources.cache_clear()
    plugins.find.cache_clear()
