"""The pages that people read, and the blocks, words and links in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "results" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
)
SHELLS = ("sh", "bash", "shell", "console")

_FENCE = re.compile(r"^( *)(```+)(\w*)\s*$")
_MARK = re.compile(r"^\s*<!-- (.*) -->\s*$")
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block and the comments that stand directly above it."""

    page: str
    line: int
    language: str
    text: str
    marks: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    def mark(self, word: str) -> str | None:
        """Return what the comment `word: …` above the block says, None where there is none."""
        return next(
            (m.removeprefix(f"{word}:").strip() for m in self.marks if m.startswith(f"{word}:")), None
        )


def name_page(page: Path) -> str:
    """Return a page's path from the root of the repository."""
    return page.relative_to(ROOT).as_posix()


def list_blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page in their order."""
    lines = page.read_text(encoding="utf-8").split("\n")
    blocks = []
    number = 0
    while number < len(lines):
        opened = _FENCE.match(lines[number])
        if opened is None:
            number += 1
            continue
        indent, fence, language = opened.groups()
        end = next(n for n in range(number + 1, len(lines)) if lines[n].strip() == fence)
        body = "".join(line.removeprefix(indent) + "\n" for line in lines[number + 1 : end])
        marks = tuple(_marks_above(lines, number))
        blocks.append(Block(page=name_page(page), line=number + 1, language=language, text=body, marks=marks))
        number = end + 1
    return blocks


def read_prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    kept, fence = [], ""
    for line in page.read_text(encoding="utf-8").split("\n"):
        opened = _FENCE.match(line)
        if opened and (not fence or line.strip() == fence):
            fence = "" if fence else opened[2]
        elif not fence:
            kept.append(line)
    return "\n".join(kept)


def list_words(page: Path) -> list[str]:
    """Return what stands between backticks in a page's prose."""
    return _INLINE.findall(read_prose(page))


def list_commands(page: Path) -> list[str]:
    """Return every command line of the harness that a page shows, in prose or in a block."""
    lines = [line for block in list_blocks(page) for line in join_lines(block.text)]
    parts = [part for line in (*lines, *list_words(page)) for part in line.split(" #")[0].split("&&")]
    shown = [part.strip().removeprefix("$ ").removeprefix(".venv/bin/") for part in parts]
    return [line for line in shown if re.match(r"harness [a-z-]", line)]


def join_lines(text: str) -> list[str]:
    """Return a shell block's lines, those that end with a backslash joined with the next."""
    return text.replace("\\\n", " ").split("\n")


def _marks_above(lines: list[str], number: int) -> Iterator[str]:
    place = number - 1
    while place >= 0 and (not lines[place].strip() or _MARK.match(lines[place])):
        if found := _MARK.match(lines[place]):
            yield found[1]
        place -= 1
