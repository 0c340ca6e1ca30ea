"""Which column of somebody's table is what, told by its name and its shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.errors import SpecError, did_you_mean
from harness.readers._numbers import read_number
from harness.readers._repeats import GROUPS, is_called
from harness.spec.words import escape, show

PAIRS = (
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),
    ("question1", "question2"),
    ("question", "answer"),
    ("text1", "text2"),
    ("text_a", "text_b"),
)
TEXTS = ("text", "sentence", "review", "comment", "message", "tweet", "content", "body", "document")
CLASSES = ("label", "labels", "class", "category")
LABELS = (*CLASSES, "target", "sentiment", "intent", "topic", "emotion", "y")
SCORES = ("rating", "score", "stars", "value")
IDS = ("id", "uuid", "guid", "key")
FEW = 20  # more distinct whole numbers than this are measured, not classes
FEW_FRACTIONS = 10
WORDS = 3  # a column whose cells have this many on average may be texts
SHARES = 4  # a column without a telling name is a label if its values come this often on average


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What can be seen of a column: `filled` and `distinct` count cells that say something, `words` is their mean."""

    name: str
    rows: int
    filled: int
    distinct: int
    numeric: bool
    whole: bool
    words: float
    sample: str

    @property
    def repeated(self) -> bool:
        """Whether values come again, in a column with a value in every row."""
        return self.filled == self.rows and 1 < self.distinct < self.rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The columns that a spec is to name; `suspect` looks like a group, but not surely."""

    label: str
    text: str | tuple[str, str] | None = None
    id: str | None = None
    group: str | None = None
    suspect: str | None = None


def describe_column(name: str, cells: Sequence[object]) -> Column:
    """Return what can be seen of a column; cells that hold no words and no numbers count as empty."""
    filled = [cell for cell in cells if isinstance(cell, (str, int, float)) and str(cell).strip()]
    words = [str(cell) for cell in filled]
    numbers = [read_number(cell) for cell in filled]
    numeric = bool(numbers) and all(number is not None for number in numbers)
    return Column(
        name=name,
        rows=len(cells),
        filled=len(filled),
        distinct=len(set(words)),
        numeric=numeric,
        whole=numeric and all(number is not None and number.is_integer() for number in numbers),
        words=sum(len(word.split()) for word in words) / max(1, len(words)),
        sample=words[0] if words else "",
    )


def choose_roles(columns: Sequence[Column], file: str, *, text: str | None, label: str | None) -> Roles:
    """Return the roles of a table of texts; raises `SpecError` with the columns where they cannot be told."""
    return choose_label(columns, file, label=label, text=_choose_text(columns, file, text, spared=label))


def choose_label(
    columns: Sequence[Column], file: str, *, label: str | None, text: str | tuple[str, str] | None = None
) -> Roles:
    """Return the roles of the columns other than `text`; raises `SpecError` where the label cannot be told."""
    taken = text if isinstance(text, tuple) else (text,)
    free = [column for column in columns if column.name not in taken]
    chosen = _find_label(free) if label is None else _require(label, free, file, "--label")
    if chosen is None:
        raise _undecided(columns, file, "is to be predicted", "--label")
    others = [column for column in free if column.name != chosen]
    names = [column for column in others if _is_called(column, IDS) and column.distinct == column.rows]
    groups = [column for column in others if column.repeated and _is_called(column, GROUPS)]
    suspects = [column for column in others if column.repeated and _seems_group(column)]
    return Roles(
        label=chosen,
        text=text,
        id=names[0].name if names else None,
        group=groups[0].name if len(groups) == 1 else None,
        suspect=next((column.name for column in (*groups, *suspects)), None),
    )


def is_measured(column: Column) -> bool:
    """Return whether a label is a quantity to be estimated, not one of a set."""
    if not column.numeric:
        return False
    if not column.whole:
        return column.distinct > FEW_FRACTIONS
    return column.distinct > FEW and not _is_called(column, CLASSES)


def _choose_text(
    columns: Sequence[Column], file: str, given: str | None, *, spared: str | None
) -> str | tuple[str, str]:
    if given is not None:
        return _require(given, columns, file, "--text")
    free = [column for column in columns if column.name != spared and not column.numeric and column.filled]
    known = {column.name.lower(): column.name for column in free}
    for first, second in PAIRS:
        if first in known and second in known:
            return known[first], known[second]
    named = next((known[name] for name in TEXTS if name in known), None)
    if named is not None:
        return named
    shaped = [column for column in free if column.words >= WORDS and column.distinct > column.rows / 2]
    if len(shaped) == 1:
        return shaped[0].name
    raise _undecided(columns, file, "holds the texts", "--text")


def _find_label(columns: Sequence[Column]) -> str | None:
    """Return the one column that a name, or else its shape, makes the label; None where none or several are."""
    usable = [column for column in columns if column.distinct > 1 and not _is_called(column, (*IDS, *GROUPS))]
    for known in (CLASSES[:1], LABELS, SCORES):
        named = [column.name for column in usable if _is_called(column, known) and _repeats(column)]
        if named:
            return named[0] if len(named) == 1 else None
    shaped = [column for column in usable if not column.numeric and column.words < WORDS and _repeats(column)]
    return shaped[0].name if len(shaped) == 1 else None


def _repeats(column: Column) -> bool:
    return column.numeric or column.distinct * SHARES <= column.filled


def _seems_group(column: Column) -> bool:
    """Return whether values come again often enough to be authors, but are too many to be a kind."""
    return (column.whole or not column.numeric) and FEW < column.distinct <= column.rows / 2


def _is_called(column: Column, names: Sequence[str]) -> bool:
    """Return whether a column has one of these names, alone or as in `author_id` and `user-name`."""
    return is_called(column.name, names)


def _require(name: str, columns: Sequence[Column], file: str, flag: str) -> str:
    known = [column.name for column in columns]
    if name in known:
        return name
    listed = ", ".join(map(show, known))
    raise SpecError(
        f"{flag}: {file} has no column {show(name)}.{did_you_mean(name, known)} Its columns: {listed}."
    )


def _undecided(columns: Sequence[Column], file: str, role: str, flag: str) -> SpecError:
    lines = "\n".join(_describe(columns))
    return SpecError(
        f"{file}: cannot tell which column {role}: name it with {flag} COLUMN. Its columns:\n{lines}"
    )


def _describe(columns: Sequence[Column]) -> Iterator[str]:
    width = max((len(escape(column.name)) for column in columns), default=0)
    for column in columns:
        values = "1 value" if column.distinct == 1 else f"{column.distinct} different values"
        such = f", such as {show(column.sample)}" if column.filled else ""
        yield f"  {escape(column.name):{width}}  {values}{such}"
