"""Bags: a task's examples drawn with replacement, the same for all that is compared on it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.judge.evidence import Evidence, Measure, weigh, weigh_many
from harness.judge.stats import BBC, bbc_cv_metric


def run_bags(
    evidence: Evidence, measure: Measure, predictions: Sequence[np.ndarray], *, higher_is_better: bool
) -> BBC:
    """Return what bags of the evidence's examples say of some trials; examples count by their own weights."""
    return bbc_cv_metric(
        predictions,
        evidence.targets,
        weigh(measure.score, evidence),
        higher_is_better=higher_is_better,
        groups=evidence.groups,
        rough=weigh_many(measure.rough, evidence),
    )
