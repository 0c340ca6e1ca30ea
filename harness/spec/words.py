"""How messages spell what stands in a spec."""

from __future__ import annotations

from collections.abc import Mapping

Path = tuple[
    str | int, ...
]  # the keys and list indices that lead from the top of a spec to one of its values


def dotted(path: Path) -> str:
    """Return a path as messages and `--set` write it: `tasks.reviews.metrics[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{escape(part)}"
    return text.removeprefix(".")


def escape(text: str) -> str:
    """Return `text` on one line, with control characters spelled out: a terminal must not obey a spec."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def show(value: object) -> str:
    """Return a value as a message quotes it: words in quotes, nothing longer than 60 characters."""
    text = _spell(value, depth=3)
    return text if len(text) <= 60 else text[:57] + "..."


def _spell(value: object, depth: int) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{escape(value[:80])}'"
    if isinstance(value, Mapping):
        inside = (f"{escape(str(key))}: {_spell(item, depth - 1)}" for key, item in value.items())
        return "{" + ", ".join(inside) + "}" if depth else "{...}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_spell(item, depth - 1) for item in value) + "]" if depth else "[...]"
    return escape(str(value))


def join_words(words: list[str]) -> str:
    """Return "a", "a or b", "a, b or c"."""
    return " or ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
