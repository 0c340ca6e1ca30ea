"""A dataset of the Hugging Face hub."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from harness.errors import AssetError, DataError, EnvironmentFault
from harness.examples import Examples, Modality
from harness.readers._arrow import choose_roles, table_of
from harness.readers._columns import collect
from harness.readers._media import audit_of
from harness.spec.options import DataOptions, Revision
from harness.spec.words import escape, show

if TYPE_CHECKING:
    import pyarrow as pa

MODALITIES: tuple[Modality, ...] = ("text", "image", "audio")
COLUMNS = True
NEEDS = ("datasets",)


# With an owner: `csv`, `imagefolder` and others without one would read what lies in the working directory.
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}/[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}")


def _check_id(name: str) -> str:
    if not _ID.fullmatch(name):
        message = f"must be the id of a dataset, owner/name (got {show(name)})"
        raise PydanticCustomError("value", "{message}", {"message": message})
    return name


class Options(DataOptions):
    """A dataset of the Hugging Face hub, by its id; needs the extra `hub`, and never runs a dataset's script."""

    hub: Annotated[str, AfterValidator(_check_id)]
    """The dataset's id, `owner/name`."""
    config: str | None = None
    """Which of the dataset's configurations; needed where it has several."""
    part: str = "train"
    """Which of the dataset's splits; only this one is used."""
    revision: Revision | None = None
    """A branch, a tag or, for numbers that can be had again, a commit."""


def read(options: Options, *, base: Path, modality: Modality) -> Examples:
    """Return the rows of one part; from the hub, or from its cache where HF_HUB_OFFLINE is set."""
    name = f"hub dataset '{options.hub}'"
    rows = _load(options, name)
    roles = choose_roles(rows.column_names, options, modality, name)
    return collect(table_of(rows, name, roles), roles, options, audit=audit_of(modality))


def tiny(folder: Path) -> tuple[Options, Modality]:
    """Write a cache of the hub such as HF_HOME=`folder`/hub holds it."""
    from datasets import ClassLabel, DatasetInfo, Features, SplitDict, SplitInfo, Value
    from datasets.arrow_writer import ArrowWriter

    place = folder / "hub" / "datasets" / "tiny___rows" / "default" / "0.0.0" / ("0" * 40)
    place.mkdir(parents=True)
    features = Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"])})
    writer = ArrowWriter(path=str(place / "rows-train.arrow"), features=features)
    for text, label in (("good", 1), ("bad", 0), ("fine", 1)):
        writer.write({"text": text, "label": label})
    count, size = writer.finalize()
    part = SplitInfo("train", num_bytes=size, num_examples=count, dataset_name="rows")
    DatasetInfo(
        features=features,
        builder_name="parquet",
        dataset_name="rows",
        config_name="default",
        version="0.0.0",
        splits=SplitDict({"train": part}, dataset_name="rows"),
    ).write_to_directory(str(place))
    return Options(hub="tiny/rows", text="text", label="label"), "text"


def _load(options: Options, name: str) -> pa.Table:
    """Return all columns of one part, classes by their names, pictures and sounds still encoded."""
    try:
        import datasets
    except ImportError as error:
        raise EnvironmentFault(
            f"{name}: reading the hub needs the package 'datasets' ({error}): pip install 'finetune-harness[hub]'"
        ) from error
    if Path(options.hub).exists():
        # load_dataset would read this folder instead, silently.
        raise DataError(f"{name}: the working directory holds '{options.hub}', which hides it; run elsewhere")
    try:
        found = datasets.load_dataset(
            options.hub, name=options.config, split=options.part, revision=options.revision
        )
    except (OSError, datasets.exceptions.DatasetsError) as error:
        raise AssetError(f"{name}: cannot be fetched: {_first_line(error)}") from error
    except (
        ValueError,
        RuntimeError,
    ) as error:  # an unknown configuration or split, a dataset that is a script
        raise DataError(f"{name}: {_first_line(error)}") from error
    rows: pa.Table = found.with_format("arrow")[:]
    for column, feature in found.features.items():
        if isinstance(feature, datasets.ClassLabel):
            rows = _name_classes(rows, column, feature)
    return rows


def _name_classes(rows: pa.Table, column: str, feature: Any) -> pa.Table:
    """Return the rows with the names of classes for their numbers; a number below 0 means no label."""
    import pyarrow as pa

    numbers = rows.column(column).to_pylist()
    words = [None if number is None or number < 0 else feature.names[number] for number in numbers]
    return rows.set_column(rows.column_names.index(column), column, pa.array(words, pa.string()))


def _first_line(error: Exception) -> str:
    return escape((str(error).splitlines() or [type(error).__name__])[0])
