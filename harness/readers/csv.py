"""A file of rows, their values separated by commas."""

from __future__ import annotations

from harness.examples import Modality
from harness.spec.options import DataOptions, SourcePath

MODALITIES: tuple[Modality, ...] = ("text",)
COLUMNS = True


class Options(DataOptions):
    """A file of rows, their values separated by commas, their names in the first row."""

    csv: SourcePath
    """The file, relative to the spec's folder."""
    encoding: str = "utf-8"
    """How the file's letters are encoded."""
