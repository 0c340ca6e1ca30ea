"""A folder of sounds."""

from __future__ import annotations

from pathlib import Path

from harness.examples import Examples, Modality
from harness.readers._media import read_folder
from harness.spec.options import DataOptions, SourcePath

MODALITIES: tuple[Modality, ...] = ("audio",)
COLUMNS = False


class Options(DataOptions):
    """A folder of sounds, with one folder for each class in it.

    Or with a table `metadata.csv` in it, whose column `file` names them; `label`, `id`, `group` and `weight`
    are then columns of the table.
    """

    sounds: SourcePath
    """The folder, relative to the spec's folder."""


def read(options: Options, *, base: Path, modality: Modality) -> Examples:
    """Return the folder's sounds, not decoded yet but known to be whole."""
    from harness.modalities.sounds import SUFFIXES

    return read_folder(base / options.sounds, options.sounds, options, suffixes=SUFFIXES, modality=modality)


def tiny(folder: Path) -> tuple[Options, Modality]:
    """Write three sounds and the table that says who speaks."""
    import numpy as np

    from harness.modalities.sounds import encode_sound

    rows = ["file,label,speaker"]
    for name, label, speaker in (
        ("a.wav", "yes", "ann"),
        ("b.wav", "no", "ann"),
        ("more/c.wav", "yes", "bob"),
    ):
        path = folder / "clips" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_sound(np.sin(np.arange(800) / len(rows)) / 2, rate=8000))
        rows.append(f"{name},{label},{speaker}")
    (folder / "clips" / "metadata.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return Options(sounds="clips", group="speaker"), "audio"
