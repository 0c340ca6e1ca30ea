"""How raw texts, pictures and sounds become tensors."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from harness.examples import Modality


def find_modality(name: Modality) -> ModuleType:
    """Return the module that encodes one kind of input; importing it loads no torch model."""
    return import_module(f"harness.modalities.{name}")
