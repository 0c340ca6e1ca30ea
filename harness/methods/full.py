"""Train everything above the frozen depth."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from harness.spec.options import ArmOptions


class Options(ArmOptions):
    """Every parameter above the frozen depth trains."""

    method: Literal["full"] = "full"
    """The tuning method."""


def choose_trained(above: Iterable[str]) -> frozenset[str]:
    """Return, of the names of the parameters above the frozen depth, those that train: all."""
    return frozenset(above)
