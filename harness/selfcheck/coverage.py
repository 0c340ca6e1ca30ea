"""Coverage: whether the interval of a corrected score holds the truth, where no trial is better than another."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from harness.judge.stats import bbc_cv
from harness.selfcheck.finding import Finding

CHECK = "null suites"
EXAMPLES, TRIALS = 300, 20
CUT = 0.8416212335729143  # a standard normal lies below it with probability SHARE
SHARE = 0.8
SHARED = 0.5  # of what makes an example hard is the same for all trials


def cover_null_suites(*, suites: int) -> Iterator[Finding]:
    """Yield how often the 95 % interval holds the accuracy that all trials have, and how wide it is."""
    children = np.random.SeedSequence(4).spawn(suites)
    found = [bbc_cv(_draw_scores(np.random.default_rng(child))) for child in children]
    covered = sum(each.low <= SHARE <= each.high for each in found) / suites
    told = f"{suites} suites, {TRIALS} trials of accuracy {SHARE} on {EXAMPLES} examples"
    yield Finding(check=CHECK, what=f"{told}: the 95 % interval holds it", figure=covered, low=0.93, high=1)
    binomial = 2 * 1.959963984540054 * math.sqrt(SHARE * (1 - SHARE) / EXAMPLES)
    width = math.fsum(each.high - each.low for each in found) / suites
    yield Finding(
        check=CHECK,
        what="mean width of the interval, of the binomial one",
        figure=width / binomial,
        low=0,
        high=1.6,
    )


def _draw_scores(rng: np.random.Generator) -> np.ndarray:
    """Return where each trial is right, (examples, trials); all are right with the same probability."""
    hardness = rng.normal(size=(EXAMPLES, 1))
    drawn = math.sqrt(SHARED) * hardness + math.sqrt(1 - SHARED) * rng.normal(size=(EXAMPLES, TRIALS))
    return (drawn < CUT).astype(np.float64)
