"""Folders of pictures or sounds, one a class, or described by a table."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.errors import DataError
from harness.examples import Examples, Media, Modality
from harness.readers._columns import PLAIN, Roles, collect, plain_roles
from harness.readers._rows import read_rows
from harness.readers._table import Table, require_columns
from harness.spec.options import DataOptions
from harness.spec.words import escape, show

MEDIA_COLUMNS = {"image": ("image", "img", "picture"), "audio": ("sound", "audio")}
"""What a column of encoded media may be called in a table that holds them."""

METADATA = "metadata.csv"
_FILE = ("file", "file_name")  # what the column of files may be called in a folder's table
_MEDIA, _CLASS = "\0media", "\0class"  # columns that no file can have


def audit_of(modality: Modality) -> Callable[[Media], None] | None:
    """Return the check that a picture or a sound can be decoded."""
    if modality == "image":
        from harness.modalities.pictures import audit_picture

        return audit_picture
    if modality == "audio":
        from harness.modalities.sounds import audit_sound

        return audit_sound
    return None


def read_folder(
    folder: Path, name: str, options: DataOptions, *, suffixes: Sequence[str], modality: Modality
) -> Examples:
    """Return the pictures or sounds of a folder: labelled by their own folders, or by its metadata.csv."""
    name = name.rstrip("/") or name
    if not folder.is_dir():
        raise DataError(
            f"{escape(name)}: is no folder" if folder.exists() else f"{escape(name)}: no such folder"
        )
    described = (folder / METADATA).is_file()
    if described:
        table, roles = _read_metadata(folder, name, options)
    else:
        table, roles = _read_classes(folder, name, options, suffixes)
    return collect(table, roles, options, audit=audit_of(modality))


def _read_classes(
    folder: Path, name: str, options: DataOptions, suffixes: Sequence[str]
) -> tuple[Table, Roles]:
    for key in ("label", *PLAIN):
        if getattr(options, key) is not None:
            raise DataError(
                f"{name}: has no {METADATA}, so that `{key}` names no column; leave it out or write one"
            )
    found = list(_walk(folder))
    used = [path for path in found if path.suffix.lower() in suffixes]
    loose = [path for path in used if len(path.parts) == 1]
    if loose:
        raise DataError(
            f"{name}: '{escape(loose[0].name)}' lies in no class; put files into one folder for each class, "
            f"or describe them in {METADATA}"
        )
    if not used:
        raise DataError(f"{name}: holds no file that ends in {', '.join(suffixes)} in a folder of its class")
    other = [path for path in found if path.suffix.lower() not in suffixes]
    notes = [f"{name}: {len(other)} other files are not used: {_list(other)}"] if other else []
    refused = {path: reason for path in used if (reason := _refuse_file(folder, str(path)))}
    kept = [path for path in used if path not in refused]
    table = Table(
        name=name,
        columns={
            _MEDIA: [Media(file=folder / path, name=path.as_posix()) for path in kept],
            _CLASS: [path.parts[0] for path in kept],
        },
        places=[escape(path.as_posix()) for path in kept],
        bad={escape(path.as_posix()): reason for path, reason in refused.items()},
        notes=notes,
    )
    return table, Roles(label=_CLASS, media=_MEDIA)


def _read_metadata(folder: Path, name: str, options: DataOptions) -> tuple[Table, Roles]:
    where = f"{name}/{METADATA}"
    if reason := _refuse_file(folder, METADATA):
        raise DataError(f"{escape(where)}: {reason}")
    rows = read_rows(folder / METADATA, where, encoding="utf-8", separator=",")
    column = next((column for column in _FILE if column in rows.columns), None)
    if column is None:
        require_columns(rows, [("the files", _FILE[0])])
    roles = Roles(
        label=options.label or "label",
        media=_MEDIA,
        **plain_roles(options),
    )
    assert column is not None
    media, bad, kept = [], dict(rows.bad), []
    for row, (place, cell) in enumerate(zip(rows.places, rows.columns[column], strict=True)):
        reason = _refuse_file(folder, str(cell))
        if reason:
            bad[place] = reason
            continue
        kept.append(row)
        media.append(Media(file=folder / str(cell), name=str(cell)))
    columns = {key: [cells[row] for row in kept] for key, cells in rows.columns.items()}
    places = [f"{rows.places[row]} ('{escape(item.name)}')" for row, item in zip(kept, media, strict=True)]
    return Table(name=where, columns={**columns, _MEDIA: media}, places=places, bad=bad), roles


def _refuse_file(folder: Path, text: str) -> str | None:
    if not text.strip():
        return "names no file"
    path = Path(os.path.realpath(folder / text))  # Path.resolve raises for links that go round in circles
    if not path.is_relative_to(folder.resolve()):
        return f"{show(text)} is outside the folder"
    if not path.exists():
        return f"{show(text)}: no such file"
    return None if path.is_file() else f"{show(text)} is no file"


def _walk(folder: Path) -> list[Path]:
    """Return the files below a folder, relative to it and sorted; hidden ones are left out, links not followed."""
    found = []
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [(Path(root) / file).relative_to(folder) for file in files if not file.startswith(".")]
    return sorted(found)


def _list(paths: Sequence[Path]) -> str:
    named = ", ".join(escape(path.as_posix()) for path in paths[:3])
    return f"{named}, ..." if len(paths) > 3 else named
