"""A file of JSON objects, one a line."""

from __future__ import annotations

import json
from pathlib import Path

from harness.errors import DataError
from harness.examples import Examples, Modality
from harness.readers._columns import collect, roles_of
from harness.readers._table import Table
from harness.readers._text import Encoding, read_text
from harness.spec.options import DataOptions, SourcePath
from harness.spec.words import escape, show

CELLS = 200_000_000  # rows times keys: a file of 2 MB whose rows share no key would be a table of 10 billion
LONGEST = 16_000_000  # characters of one line

MODALITIES: tuple[Modality, ...] = ("text",)
COLUMNS = True


class Options(DataOptions):
    """A file of JSON objects, one a line, whose keys are the columns."""

    jsonl: SourcePath
    """The file, relative to the spec's folder."""
    encoding: Encoding = "utf-8"
    """How the file's letters are encoded."""


def read(options: Options, *, base: Path, modality: Modality) -> Examples:
    """Return the file's objects."""
    table = _read_table(read_text(base / options.jsonl, options.jsonl, options.encoding), options.jsonl)
    return collect(table, roles_of(options), options)


def tiny(folder: Path) -> tuple[Options, Modality]:
    """Write a small file of pairs of texts."""
    rows: list[dict[str, object]] = [
        {"first": "a cat", "second": "an animal", "label": "yes", "n": 7},
        {"first": "a cat\nsat", "second": "a dog", "label": "no", "n": 8, "z": None},
        {"first": "a 🐈", "second": "NA", "label": "null", "n": 9},
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "rows.jsonl").write_text(text, encoding="utf-8")
    return Options(jsonl="rows.jsonl", text=("first", "second"), label="label", id="n"), "text"


def _read_table(text: str, name: str) -> Table:
    if text.lstrip().startswith("["):
        raise DataError(f"{name}: is one JSON list; write one object a line instead")
    rows: dict[str, dict[str, object]] = {}
    bad: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            rows[f"line {number}"] = _read_object(line)
        except ValueError as error:
            bad[f"line {number}"] = str(error)
    columns = dict.fromkeys(key for row in rows.values() for key in row)
    if len(columns) * len(rows) > CELLS:
        raise DataError(
            f"{escape(name)}: {len(columns)} keys in {len(rows)} rows, more than {CELLS} cells; "
            "keep the keys that are learned from"
        )
    return Table(
        name=name,
        columns={key: [row.get(key) for row in rows.values()] for key in columns},
        places=tuple(rows),
        bad=bad,
    )


def _read_object(line: str) -> dict[str, object]:
    if len(line) > LONGEST:
        raise ValueError(f"longer than {LONGEST} characters")
    try:
        found = json.loads(line, object_pairs_hook=_refuse_twins)
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON at column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(found, dict):
        raise ValueError(f"no object, but {show(found)}")
    return found


def _refuse_twins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [key for key, _ in pairs]
        raise ValueError(f"the key {show(next(key for key in names if names.count(key) > 1))} is repeated")
    return found
