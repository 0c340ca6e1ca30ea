"""Examples that the harness itself provides, pinned by hash."""

from __future__ import annotations

from harness.examples import Modality
from harness.spec.options import DataOptions

MODALITIES: tuple[Modality, ...] = ("text", "image", "audio")
COLUMNS = False


class Options(DataOptions):
    """Examples that the harness itself provides, pinned by hash."""

    asset: str
    """The asset's name; `harness assets list` shows them."""
