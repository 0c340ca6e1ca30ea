"""Hopeless: failures that have one cause, which another trial would not change."""

from __future__ import annotations

import re
from collections.abc import Sequence

TRIALS = 5  # of a study that all failed alike
STUDIES = 3  # of a suite that stopped alike, while no trial of any has succeeded


def share_cause(reasons: Sequence[str]) -> bool:
    """Say whether there is one cause: the step and the rate at which a loss diverged may differ."""
    return len({re.sub(r"[-+]?\d[\d.,e+-]*", "#", reason) for reason in reasons}) == 1
