"""Plain text in columns, safe for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

UNSAFE = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")  # controls, invisible and direction marks, line separators
GAP = "  "


def sanitise(text: str) -> str:
    """Return text on one line in which what could move the cursor, colour or hide is spelled out."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_spell(letter) if unicodedata.category(letter) in UNSAFE else letter for letter in text)


def measure(text: str) -> int:
    """Return how many terminal columns a text takes."""
    if text.isascii():
        return len(text)
    return sum(_columns(letter) for letter in text)


def shorten(text: str, width: int) -> str:
    """Return a name that takes at most `width` columns, with … in its middle where it is longer."""
    if measure(text) <= width:
        return text
    head, tail = text[: (width - 1) // 2], text[-(width // 2) :]
    while measure(head) + measure(tail) + 1 > width:
        head, tail = head[:-1], tail[1:]
    return f"{head}…{tail}"


def pad(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of equally many cells as lines, each column as wide as its widest cell."""
    widths = [max(map(measure, column)) for column in zip(*rows, strict=True)]
    return [
        GAP.join(cell + " " * (width - measure(cell)) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]


def lay_out(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return padded rows as they are printed: one column in, without trailing blanks."""
    return [f" {line}".rstrip() for line in pad(rows)]


def wrap(text: str, width: int, *, between: str = " ") -> list[str]:
    """Return a text in lines of at most `width` columns, broken at `between`, or else at blanks."""
    lines: list[str] = []
    line = ""
    for word in text.split(between):
        longer = f"{line}{between}{word}" if line else f" {word}"
        if line and measure(longer) > width:
            lines.append(line)
            longer = f"   {word}"
        line = longer
    lines.append(line)
    if between == " ":
        return lines
    return [
        part for line in lines for part in ([line] if measure(line) <= width else wrap(line.strip(), width))
    ]


def fits(lines: Sequence[str], width: int) -> bool:
    """Tell whether no line is wider than `width` columns."""
    return all(measure(line) <= width for line in lines)


def _spell(letter: str) -> str:
    if letter in "\n\t":
        return " "
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _columns(letter: str) -> int:
    if unicodedata.category(letter) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
