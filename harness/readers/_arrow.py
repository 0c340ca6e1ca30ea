"""Tables in Arrow's formats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import DataError
from harness.examples import Media, Modality
from harness.parquet import SizeError, read_parquet
from harness.readers._columns import Roles, plain_roles
from harness.readers._media import MEDIA_COLUMNS
from harness.readers._table import Table
from harness.spec.options import DataOptions
from harness.spec.words import escape, show

if TYPE_CHECKING:
    import pyarrow as pa


def open_parquet(path: Path, name: str) -> pa.Table:
    """Return a Parquet file's rows; raises `DataError` where there are none or they cannot be read."""
    import pyarrow as pa

    if not path.is_file():
        raise DataError(
            f"{escape(name)}: no such file" if not path.exists() else f"{escape(name)}: is no file"
        )
    try:
        table = read_parquet(path)
    except SizeError as error:
        raise DataError(f"{escape(name)}: {error}") from None
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{escape(name)}: is no whole Parquet file: {escape(_first_line(error))}") from None
    if not table.num_rows:
        raise DataError(f"{name}: has columns and no rows")
    return table


def table_of(rows: pa.Table, name: str, roles: Roles) -> Table:
    """Return the columns that `roles` names or that look like a group, those of encoded media as `Media`."""
    repeated = [column for column in rows.column_names if rows.column_names.count(column) > 1]
    if repeated:
        raise DataError(f"{name}: the column {show(repeated[0])} is named twice")
    places = [f"row {number}" for number in range(1, rows.num_rows + 1)]
    wanted = {column for _, column in roles.named()}
    if roles.group is None:  # columns that look like one are told
        wanted |= {field.name for field in rows.schema if _may_name(field.type)}
    columns: dict[str, Sequence[object]] = {
        column: rows.column(column).to_pylist() if column in wanted else () for column in rows.column_names
    }
    if roles.media is not None:
        cells = rows.column(roles.media).to_pylist()
        columns[roles.media] = [_as_media(cell, place) for cell, place in zip(cells, places, strict=True)]
    return Table(name=name, columns=columns, places=places)


def choose_roles(columns: Sequence[str], options: DataOptions, modality: Modality, name: str) -> Roles:
    """Return the roles that a spec gives to columns; a picture or a sound stands in a column of that name."""
    assert options.label is not None
    media = None
    if modality != "text":
        known = MEDIA_COLUMNS[modality]
        media = next((column for column in known if column in columns), None)
        if media is None:
            raise DataError(
                f"{name}: has no column of encoded {modality} data; it is to be called '{known[0]}'"
            )
    return Roles(
        text=options.text if modality == "text" else None,
        media=media,
        label=options.label,
        **plain_roles(options),
    )


def _may_name(kind: pa.DataType) -> bool:
    """Return whether a column of this type may hold names: words or whole numbers."""
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind))


def _as_media(cell: object, place: str) -> Media | None:
    """Return the encoded bytes in a cell, which are the cell or, as the hub writes it, its `bytes`."""
    data = cell.get("bytes") if isinstance(cell, dict) else cell
    return Media(data=data, name=place) if isinstance(data, bytes) else None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
