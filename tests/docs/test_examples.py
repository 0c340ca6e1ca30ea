"""Every example on the pages runs as it stands, or says above it why it does not."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.cli.main import run
from tests.docs.pages import PAGES, ROOT, SHELLS, Block, join_lines, list_blocks, name_page

RUNNABLE = ("python", "sql", "duckdb", *SHELLS)
PLAIN = ("", "text", "yaml", "json", "toml", "csv", "markdown")
NEEDS_NO_RUN = ("README.md", "docs/python.md", "docs/plugins.md")  # they make their own
INSTALLS = re.compile(r"\bpip install\b|\bvenv\b \.venv")


def _is_run(block: Block) -> bool:
    """Say whether a block is an example: no test installs what a page tells a reader to install."""
    if block.mark("file"):
        return True
    return block.language in RUNNABLE and block.mark("not run") is None and not INSTALLS.search(block.text)


EXAMPLES: Mapping[str, list[Block]] = {
    name_page(page): found
    for page in PAGES
    if page.exists() and (found := [block for block in list_blocks(page) if _is_run(block)])
}
# The first page's own data go through a whole suite with twenty trials an arm.
SLOW = ("README.md",)


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=[pytest.mark.whole] * (page in SLOW)) for page in EXAMPLES]
)
def test_the_examples_of_a_page_run_in_their_order(
    page: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder: Path = request.getfixturevalue("workshop" if page in NEEDS_NO_RUN else "finished")
    # A reader's shell: `harness` is there, and what it prints is not a terminal.
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    names: dict[str, object] = {"__name__": "__main__"}
    for block in EXAMPLES[page]:
        if file := block.mark("file"):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            exec(compile(block.text, str(block), "exec"), names)
        elif block.language in SHELLS:
            _run_shell(block)
        else:
            _run_query(block)


def test_every_block_has_a_known_language_and_a_reason_where_it_does_not_run() -> None:
    for page in PAGES:
        for block in list_blocks(page) if page.exists() else ():
            assert block.language in (*RUNNABLE, *PLAIN), f"{block}: '{block.language}' is run by nobody"
            assert block.mark("not run") != "", f"{block}: say why: <!-- not run: REASON -->"


def test_the_plugin_page_shows_a_file_of_each_kind() -> None:
    files = [block.mark("file") or "" for block in list_blocks(ROOT / "docs" / "plugins.md")]
    for kind in ("readers", "tasks", "targets", "metrics", "methods"):
        assert any(file.startswith(f"plugins/{kind}/") for file in files), kind


def _run_shell(block: Block) -> None:
    """Run a block's lines: plain ones of the harness in this process, for an import of torch takes seconds."""
    for line in join_lines(block.text):
        line = line.removeprefix(".venv/bin/")
        words = shlex.split(line, comments=True)
        if not words:
            continue
        if words[0] == "harness" and not set("".join(words)) & set("|<>&;$"):
            code = run(words[1:])
        else:
            code = subprocess.run(["bash", "-c", line], check=False, timeout=120).returncode
        assert code == 0, (
            f"{block}: exit code {code} of '{line}'. Mend it, or say above the block why it is not run: "
            "<!-- not run: REASON -->"
        )


def _run_query(block: Block) -> None:
    import duckdb

    with duckdb.connect() as connection:
        assert connection.execute(block.text).fetchall(), f"{block}: no rows"
