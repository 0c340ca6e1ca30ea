"""A folder of pictures."""

from __future__ import annotations

from pathlib import Path

from harness.examples import Examples, Modality
from harness.readers._media import read_folder
from harness.spec.options import DataOptions, SourcePath

MODALITIES: tuple[Modality, ...] = ("image",)
COLUMNS = False


class Options(DataOptions):
    """A folder of pictures, with one folder for each class in it.

    Or with a table `metadata.csv` in it, whose column `file` names them; `label`, `id`, `group` and `weight`
    are then columns of the table.
    """

    images: SourcePath
    """The folder, relative to the spec's folder."""


def read(options: Options, *, base: Path, modality: Modality) -> Examples:
    """Return the folder's pictures, not decoded yet but known to be whole."""
    from harness.modalities.pictures import SUFFIXES

    return read_folder(base / options.images, options.images, options, suffixes=SUFFIXES, modality=modality)


def tiny(folder: Path) -> tuple[Options, Modality]:
    """Write three pictures in two classes."""
    import numpy as np

    from harness.modalities.pictures import encode_picture

    for name, red in (("cats/one.png", 10), ("cats/two.png", 200), ("dogs/one.png", 90)):
        path = folder / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_picture(np.full((4, 5, 3), (red, 0, 255), dtype=np.uint8)))
    return Options(images="pictures"), "image"
