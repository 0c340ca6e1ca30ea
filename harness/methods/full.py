"""Train everything above the frozen depth."""

from __future__ import annotations

from typing import Literal

from harness.candidate import Candidate
from harness.spec.options import ArmOptions


class Options(ArmOptions):
    """Every parameter above the frozen depth trains."""

    method: Literal["full"] = "full"
    """The tuning method."""


def choose_trained(above: frozenset[str], *, head: frozenset[str], candidate: Candidate) -> frozenset[str]:
    """Return which of the parameters above the frozen depth train, by name: all.

    `head` are those of them that are newly made for the task; a method's own values stand in `candidate.extras`.
    """
    return above
