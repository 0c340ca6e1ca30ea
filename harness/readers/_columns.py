"""From columns to examples: which column is what, and whether each row can be used."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.errors import DataError
from harness.examples import Examples, Input, Media, Target, build_examples
from harness.readers._numbers import read_number
from harness.readers._repeats import find_repeats
from harness.readers._table import SHOWN, Table, require_columns, settle_bad
from harness.readers._times import read_times, refuse_time
from harness.spec.options import DataOptions
from harness.spec.words import show

_SURROGATE = re.compile("[\ud800-\udfff]")


PLAIN = ("id", "group", "weight", "time", "split")  # keys of a spec that name one column, of any reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Which columns hold what; `media` holds `Media` values, and then there is no `text`."""

    label: str
    text: str | tuple[str, str] | None = None
    media: str | None = None
    id: str | None = None
    group: str | None = None
    weight: str | None = None
    time: str | None = None
    split: str | None = None

    def named(self) -> Iterator[tuple[str, str]]:
        """Yield the key of a spec and the column that it names."""
        texts = self.text if isinstance(self.text, tuple) else (self.text,)
        yield from (("text", text) for text in texts if text is not None)
        yield "label", self.label
        for key in PLAIN:
            column = getattr(self, key)
            if column is not None:
                yield key, column


def roles_of(options: DataOptions) -> Roles:
    """Return the roles that a spec gives to the columns of a text."""
    assert options.text is not None
    assert options.label is not None
    return Roles(text=options.text, label=options.label, **plain_roles(options))


def plain_roles(options: DataOptions) -> dict[str, str | None]:
    """Return the columns that a spec names whatever the examples are."""
    return {key: getattr(options, key) for key in PLAIN}


def collect(
    table: Table, roles: Roles, options: DataOptions, *, audit: Callable[[Media], None] | None = None
) -> Examples:
    """Return the rows of a table that can be used; raises `DataError` as `on_bad` says.

    `audit` raises `DataError` for a picture or a sound that cannot be decoded.
    """
    require_columns(table, list(roles.named()))
    refused = _refuse_media(table, roles, audit) | _refuse_cells(table, roles)
    rows = [row for row in range(len(table.places)) if row not in refused]
    bad = dict(table.bad) | {table.places[row]: refused[row] for row in sorted(refused)}
    notes = [*table.notes, *settle_bad(table.name, bad, len(table.places) + len(table.bad), options.on_bad)]
    if not rows:
        raise DataError(f"{table.name}: holds no row that can be used; {len(bad)} were dropped")
    targets = _read_targets(table, roles.label, rows)
    inputs = [_read_input(table, roles, row) for row in rows]
    ids = _read_ids(table, roles.id, rows)
    return build_examples(
        inputs=inputs,
        targets=targets,
        ids=ids,
        groups=[str(table.columns[roles.group][row]) for row in rows] if roles.group else None,
        weights=_read_weights(table, roles.weight, rows),
        times=read_times(table, roles.time, rows),
        locked=_read_split(table, roles.split, rows),
        notes=[
            *notes,
            *_note_texts(table.name, inputs),
            *_note_twins(table.name, targets),
            *_note_repeats(table, roles, rows),
        ],
    )


def _refuse_cells(table: Table, roles: Roles) -> dict[int, str]:
    """Return why rows cannot be used, for their first bad cell."""
    refused: dict[int, str] = {}
    for key, column in roles.named():
        check = _CHECKS[key]
        for row, cell in enumerate(table.columns[column]):
            if (reason := check(cell)) is not None:
                refused.setdefault(row, f"{reason} in column {show(column)}")
    return refused


def _refuse_media(table: Table, roles: Roles, audit: Callable[[Media], None] | None) -> dict[int, str]:
    """Return why rows cannot be used, for their picture or sound."""
    refused: dict[int, str] = {}
    for row, media in enumerate(table.columns[roles.media] if roles.media is not None else ()):
        if not isinstance(media, Media):
            refused[row] = f"nothing in column {show(roles.media)}"
            continue
        try:
            if audit:
                audit(media)
        except DataError as error:
            refused[row] = str(error).removeprefix(f"{media.name}: ")
    return refused


def _refuse_text(cell: object) -> str | None:
    if cell is None:
        return "no text"
    if not isinstance(cell, str):
        return f"{show(cell)}, which is no text,"
    if _SURROGATE.search(cell):
        return "half of a surrogate pair, which is no letter,"
    return None


def _refuse_label(cell: object) -> str | None:
    if _is_missing(cell):
        return "no label"
    return None if isinstance(cell, (str, int, float)) else f"{show(cell)}, which is no label,"


def _refuse_name(cell: object) -> str | None:
    if _is_missing(cell):
        return "nothing"
    return None if isinstance(cell, (str, int, float)) else f"{show(cell)}, which is no name,"


def _refuse_weight(cell: object) -> str | None:
    if _is_missing(cell):
        return "no weight"
    weight = read_number(cell)
    if weight is None or weight < 0:
        return f"{show(cell)}, which is no weight of 0 or more,"
    return None


def _refuse_split(cell: object) -> str | None:
    if isinstance(cell, str) and cell.strip().lower() in ("train", "test"):
        return None
    return f"{'nothing' if _is_missing(cell) else show(cell)}, where 'train' or 'test' should be,"


_CHECKS: Mapping[str, Callable[[object], str | None]] = {
    "text": _refuse_text,
    "label": _refuse_label,
    "id": _refuse_name,
    "group": _refuse_name,
    "weight": _refuse_weight,
    "time": refuse_time,
    "split": _refuse_split,
}


def _is_missing(cell: object) -> bool:
    """Return whether a cell says nothing; `NA` and `null` are words and say something."""
    if isinstance(cell, str):
        return not cell.strip()
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def _read_input(table: Table, roles: Roles, row: int) -> Input:
    if roles.media is not None:
        media = table.columns[roles.media][row]
        assert isinstance(media, Media)
        return media
    if isinstance(roles.text, tuple):
        first, second = (str(table.columns[column][row]) for column in roles.text)
        return first, second
    return str(table.columns[roles.text or ""][row])


def _read_targets(table: Table, label: str, rows: Sequence[int]) -> list[Target]:
    """Return words as they stand and numbers as they are, but not both in one column."""
    cells = [table.columns[label][row] for row in rows]
    targets = [_as_target(cell) for cell in cells]
    words = [row for row, target in zip(rows, targets, strict=True) if isinstance(target, str)]
    if words and len(words) < len(rows):
        number = next(row for row in rows if row not in set(words))
        column = table.columns[label]
        raise DataError(
            f"{table.name}: the column {show(label)} mixes words and numbers: {table.places[words[0]]} holds "
            f"{show(column[words[0]])}, {table.places[number]} holds {show(column[number])}; write all of them alike"
        )
    return targets


def _as_target(cell: object) -> Target:
    if isinstance(cell, bool):
        return str(cell).lower()
    assert isinstance(cell, (str, int, float))
    return cell


def _read_ids(table: Table, column: str | None, rows: Sequence[int]) -> list[str] | None:
    if column is None:
        return None
    ids = [str(table.columns[column][row]) for row in rows]
    places = defaultdict(list)
    for name, row in zip(ids, rows, strict=True):
        places[name].append(table.places[row])
    repeated = [f"  {show(name)}: {', '.join(where[:3])}" for name, where in places.items() if len(where) > 1]
    if repeated:
        lines = "\n".join(repeated[:SHOWN])
        raise DataError(
            f"{table.name}: {len(repeated)} ids in column {show(column)} name more than one row:\n{lines}"
        )
    return ids


def _read_weights(table: Table, column: str | None, rows: Sequence[int]) -> list[float] | None:
    if column is None:
        return None
    weights = [read_number(table.columns[column][row]) or 0.0 for row in rows]
    if not any(weights):
        raise DataError(f"{table.name}: all weights in column {show(column)} are 0")
    return weights


def _read_split(table: Table, column: str | None, rows: Sequence[int]) -> list[bool] | None:
    """Return which rows the source calls test; raises `DataError` where all of them are one or the other."""
    if column is None:
        return None
    locked = [str(table.columns[column][row]).strip().lower() == "test" for row in rows]
    if all(locked) or not any(locked):
        only = "test" if locked[0] else "train"
        raise DataError(
            f"{table.name}: the column {show(column)} says '{only}' of every row that can be used"
        )
    return locked


def _note_repeats(table: Table, roles: Roles, rows: Sequence[int]) -> list[str]:
    """Say which columns look like groups, where none is given."""
    taken = [*(column for _, column in roles.named()), *([roles.media] if roles.media else [])]
    return find_repeats(table, taken, rows, label=roles.label) if roles.group is None else []


def _note_texts(name: str, inputs: Sequence[Input]) -> list[str]:
    def blank(item: Input) -> bool:
        parts = item if isinstance(item, tuple) else (item,)
        return any(isinstance(part, str) and not part.strip() for part in parts)

    empty = sum(map(blank, inputs))
    return [f"{name}: {empty} of {len(inputs)} texts are empty; they are kept"] if empty else []


def _note_twins(name: str, targets: Sequence[Target]) -> list[str]:
    """Say which labels look alike (case, outer blanks, one letter written in two ways), and which have outer blanks."""
    words = {target for target in targets if isinstance(target, str) and read_number(target) is None}
    twins: dict[str, list[str]] = defaultdict(list)
    for word in sorted(words):
        twins[unicodedata.normalize("NFC", word.strip().casefold())].append(word)
    notes = [
        f"{name}: the labels {' and '.join(map(show, alike))} differ by case, blanks or accents that look the same "
        "only, and are kept apart"
        for alike in twins.values()
        if len(alike) > 1
    ]
    alone = [word for alike in twins.values() if len(alike) == 1 for word in alike if word != word.strip()]
    return notes + [f"{name}: the label {show(word)} begins or ends with a blank" for word in alone]
