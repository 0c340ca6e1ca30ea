"""Hopeless: failures that have one cause, which another trial would not change."""

from __future__ import annotations

from collections.abc import Sequence

from harness.record.troubles import name_cause

TRIALS = 5  # of a study, that all failed alike
SUITE_TRIALS = 10  # of any of its studies, while none has succeeded


def share_cause(reasons: Sequence[str]) -> bool:
    """Say whether there is one cause: the step and the rate at which a loss diverged may differ."""
    return len({name_cause(reason) for reason in reasons}) == 1
