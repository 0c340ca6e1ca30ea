"""Every YAML block on the pages is a spec, or says above it what else it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import plugins
from harness.spec.load import load_spec
from tests.docs.pages import PAGES, Block, list_blocks

BASE = {
    "version": "1",
    "name": "fragment",
    "tasks": "{reviews: {type: text-classification, data: {csv: reviews.csv, text: text, label: label}}}",
    "backbones": "{minilm: {model: 'asset:minilm-l6'}}",
    "arms": "{full: {}}",
}
BLOCKS = [
    block
    for page in PAGES
    if page.exists()
    for block in list_blocks(page)
    if block.language in ("yaml", "yml") and block.mark("not a spec") is None
]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_of_yaml_is_a_spec_or_a_fragment_of_one(block: Block, workshop: Path) -> None:
    if block.mark("plugins"):
        _write_plugins(block, workshop)
    file = workshop / "shown.yaml"
    file.write_text(_complete(block) if _is_fragment(block) else block.text, encoding="utf-8")
    load_spec(file)


def _is_fragment(block: Block) -> bool:
    """Say whether the comment `<!-- fragment of a spec -->` stands above a block."""
    return "fragment of a spec" in block.marks


def _complete(block: Block) -> str:
    """Return a fragment, which is some top-level keys, with the others that a spec needs."""
    own = {line.partition(":")[0] for line in block.text.split("\n")}
    return block.text + "".join(f"{key}: {value}\n" for key, value in BASE.items() if key not in own)


def _write_plugins(block: Block, folder: Path) -> None:
    page = next(page for page in PAGES if page.as_posix().endswith(block.page))
    for other in list_blocks(page):
        if (file := other.mark("file")) and file.endswith(".py"):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(other.text, encoding="utf-8")
    plugins.add_folder(folder / (block.mark("plugins") or ""))
