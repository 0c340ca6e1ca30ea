"""Somebody's data, looked at once: which reader reads it, what is learned from it, and that it makes folds."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness import plugins
from harness.errors import DataError, SpecError
from harness.examples import Examples, Media, Modality, group_keys, take_sample
from harness.learn.folds import split_examples
from harness.learn.seeds import Purpose, derive_seed
from harness.readers._arrow import open_parquet
from harness.readers._media import MEDIA_COLUMNS, METADATA, read_folder
from harness.readers._rows import read_rows
from harness.readers._text import read_text
from harness.scaffold.columns import Column, Roles, choose_label, choose_roles, describe_column, is_measured
from harness.spec.options import DataOptions, Protocol
from harness.spec.words import show

READERS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
PARTS = {"train", "test", "val", "valid", "validation", "dev"}  # folders of a split, not classes
MANY = 2000  # rows: more make a first answer slow
SAMPLE = 1000
SMALL = 500  # rows: fewer are cheap to fit and leave much to chance, so more folds
CLIPS = 100  # are measured; all are decoded when the suite runs
RATE_HZ = 8000
LONGEST_S = 30
SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a spec says of the data: the reader's key, the columns, the task type, and what its folds can bear."""

    reader: str
    modality: Modality
    type: str
    roles: Roles | None  # None where folders are the classes
    examples: Examples
    dropped: str | None  # what `on_bad: drop` leaves out
    take: int | None
    folds: int
    clip_seconds: int | None  # whole seconds that nearly all clips fit in, where there are clips

    @property
    def classes(self) -> bool:
        """Whether a class is predicted, not a number."""
        return self.type != "text-regression"


def look_at(data: Path, *, label: str | None, text: str | None) -> Found:
    """Return what a spec can say of `data`; raises `SpecError` where a flag must decide, `DataError` as readers do."""
    if not data.exists():
        raise SpecError(f"--data {data}: there is no such file or folder")
    found = _look_at_folder(data, label, text) if data.is_dir() else _look_at_table(data, label, text)
    return _prove_folds(found, data)


def _look_at_table(data: Path, label: str | None, text: str | None) -> Found:
    reader = READERS.get(data.suffix.lower())
    if reader is None:
        known = ", ".join(READERS)
        raise SpecError(
            f"--data {data}: is read by its ending, one of {known}; or give a folder of pictures or sounds"
        )
    cells = _read_cells(data, reader)
    columns = [describe_column(name, values) for name, values in cells.items() if name]
    modality = _find_modality(cells)
    if text is not None and modality != "text":
        raise SpecError(f"--text: {data} holds encoded {modality} data, which have no column of texts")
    if modality == "text":
        roles = choose_roles(columns, data.name, text=text, label=label)
    else:
        roles = choose_label(columns, data.name, label=label)
    kind = _choose_type(modality, roles, columns, data.name)
    options = _options(reader, {reader: data.name}, roles)
    examples = plugins.find("readers", reader).read(options, base=data.parent, modality=modality)
    return _found(reader, modality, kind, roles, examples)


def _look_at_folder(data: Path, label: str | None, text: str | None) -> Found:
    reader, modality, suffixes = _count_media(data)
    described = (data / METADATA).is_file()
    if text is not None:
        raise SpecError(f"--text: {data} holds {reader}, which have no column of texts")
    if label is not None and not described:
        raise SpecError(f"--label: {data} has no {METADATA}; its folders are the classes")
    roles = None
    kind = f"{modality}-classification"
    if described:
        table = read_rows(data / METADATA, f"{data.name}/{METADATA}", encoding="utf-8", separator=",")
        columns = [
            describe_column(name, cells)
            for name, cells in table.columns.items()
            if name not in ("file", "file_name")
        ]
        roles = choose_label(columns, table.name, label=label)
        kind = _choose_type(modality, roles, columns, table.name)
    options = _options(reader, {reader: data.name}, roles)
    # a text has no audit: thousands of pictures are decoded when the suite runs, not here
    examples = read_folder(data, data.name, options, suffixes=suffixes, modality="text")
    return _found(reader, modality, kind, roles, examples)


def _found(reader: str, modality: Modality, kind: str, roles: Roles | None, examples: Examples) -> Found:
    dropped = next((note for note in examples.notes if ": dropped " in note), None)
    return Found(
        reader=reader,
        modality=modality,
        type=kind,
        roles=roles,
        examples=examples,
        dropped=dropped,
        take=SAMPLE if len(examples) > MANY else None,
        folds=5 if len(examples) <= SMALL else 3,
        clip_seconds=_measure_clips(examples) if modality == "audio" else None,
    )


def _measure_clips(examples: Examples) -> int:
    """Return the whole seconds that 95 of 100 clips fit in, judged by some of them, at most what Whisper hears."""
    from harness.modalities.sounds import decode_sound

    lengths = []
    for row in np.linspace(0, len(examples) - 1, min(CLIPS, len(examples))).astype(int):
        clip = examples.inputs[row]
        assert isinstance(clip, Media)
        try:
            lengths.append(len(decode_sound(clip, rate=RATE_HZ)) / RATE_HZ)
        except DataError:
            continue  # the run names it, with all others that cannot be decoded
    return min(LONGEST_S, math.ceil(np.quantile(lengths, 0.95))) if lengths else LONGEST_S


def _options(reader: str, source: Mapping[str, str], roles: Roles | None) -> DataOptions:
    named: dict[str, object] = dict(source)
    if roles is not None:
        named |= {"label": roles.label, "text": roles.text, "id": roles.id, "group": roles.group}
    options: DataOptions = plugins.find("readers", reader).Options(on_bad="drop", **named)
    return options


def _choose_type(modality: Modality, roles: Roles, columns: Sequence[Column], file: str) -> str:
    label = next(column for column in columns if column.name == roles.label)
    if label.distinct < 2:
        raise SpecError(
            f"{file}: the column {show(label.name)} holds one value alone: there is nothing to predict"
        )
    if is_measured(label):
        if modality == "text":
            return "text-regression"
        raise SpecError(
            f"{file}: the column {show(label.name)} holds numbers, and {modality}s can be told apart by classes only: "
            "name another with --label COLUMN"
        )
    if label.distinct > label.filled / 2:
        raise SpecError(
            f"{file}: the column {show(label.name)} holds {label.distinct} different values in {label.filled} rows; "
            "a class needs several examples: name another with --label COLUMN"
        )
    return f"{modality}-classification"


def _read_cells(data: Path, reader: str) -> Mapping[str, Sequence[object]]:
    """Return a table's columns; binary ones stay empty, only their names tell what they are."""
    if reader == "parquet":
        rows = open_parquet(data, data.name)
        return {
            field.name: ()
            if str(field.type).startswith(("binary", "large_binary", "struct", "list"))
            else column.to_pylist()
            for field, column in zip(rows.schema, rows.columns, strict=True)
        }
    if reader == "jsonl":
        return _read_objects(read_text(data, data.name, "utf-8"), data.name)
    return read_rows(data, data.name, encoding="utf-8", separator="," if reader == "csv" else "\t").columns


def _read_objects(text: str, name: str) -> Mapping[str, Sequence[object]]:
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            row = json.loads(line) if line.strip() else {}
        except (json.JSONDecodeError, RecursionError) as error:
            raise DataError(f"{name}: line {number}: {error}; write one JSON object a line") from None
        if not isinstance(row, dict):
            raise DataError(f"{name}: line {number}: holds no JSON object; write one object a line")
        rows += [row] if row else []
    return {key: [row.get(key) for row in rows] for key in dict.fromkeys(key for row in rows for key in row)}


def _find_modality(cells: Mapping[str, Sequence[object]]) -> Modality:
    """Return what a table holds: encoded pictures or sounds stand in binary columns of certain names."""
    for modality, known in MEDIA_COLUMNS.items():
        if any(name in cells and not cells[name] for name in known):
            return "image" if modality == "image" else "audio"
    return "text"


def _count_media(folder: Path) -> tuple[str, Modality, Sequence[str]]:
    """Return the reader of a folder's files, by their endings."""
    from harness.modalities import pictures, sounds

    endings = [Path(file).suffix.lower() for _, _, files in os.walk(folder) for file in files]
    images, clips = (sum(ending in kind.SUFFIXES for ending in endings) for kind in (pictures, sounds))
    if not images and not clips:
        raise SpecError(
            f"--data {folder}: holds neither pictures nor sounds; give a table, or a folder of either"
        )
    split = {entry.name for entry in folder.iterdir() if entry.is_dir()}
    if split and split <= PARTS and not (folder / METADATA).is_file():
        raise SpecError(
            f"--data {folder}: holds {' and '.join(sorted(split))}, not one folder for each class; give one of them, "
            f"as in --data {folder / min(split, key=lambda name: (name != 'train', name))}"
        )
    if images >= clips:
        return "images", "image", pictures.SUFFIXES
    return "sounds", "audio", sounds.SUFFIXES


def _prove_folds(found: Found, data: Path) -> Found:
    """Return the richest form of `found` whose folds can be made; raises `DataError` where none can."""
    without = found
    if found.roles is not None and found.roles.group is not None:
        without = replace(found, roles=replace(found.roles, group=None, suspect=found.roles.group))
    refused: DataError | None = None
    for form in (found, replace(found, take=None), without, replace(without, take=None)):
        try:
            _make_folds(form)
        except DataError as error:
            refused = error
            continue
        return form
    raise DataError(f"{data.name}: {refused}")


def _make_folds(found: Found) -> None:
    target = plugins.find("targets", plugins.find("tasks", found.type).TARGET)
    examples = found.examples
    if found.roles is not None and found.roles.group is None:
        examples = replace(examples, groups=None)
    if found.take is not None:
        examples = take_sample(
            examples, found.take, derive_seed(SEED, Purpose.SAMPLE, "0"), stratified=target.STRATIFIED
        )
    targets = target.encode(examples.targets, target.declare_labels(examples.targets))
    protocol = Protocol(folds=found.folds)
    classes = targets if target.STRATIFIED else None
    place = split_examples(examples, group_keys(examples), classes, protocol, seed=SEED, repeat=0)
    for fold in range(found.folds):
        rows = np.flatnonzero(place != fold)
        target.check_training(targets[rows], target.declare_labels(examples.targets), folds=found.folds)
