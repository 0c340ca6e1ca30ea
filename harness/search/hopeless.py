"""Hopeless: failures that have one cause, which another trial would not change."""

from __future__ import annotations

import re
from collections.abc import Sequence

TRIALS = 5  # of a study, that all failed alike
SUITE_TRIALS = 10  # of any of its studies, while none has succeeded


def share_cause(reasons: Sequence[str]) -> bool:
    """Say whether there is one cause: the step and the rate at which a loss diverged may differ."""
    return len({re.sub(r"[-+]?\d[\d.,e+-]*", "#", reason) for reason in reasons}) == 1
