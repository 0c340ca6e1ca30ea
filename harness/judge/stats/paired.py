"""Two methods on the same folds: is the difference real?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special


@dataclass(frozen=True, slots=True, kw_only=True)
class TTest:
    """A mean difference, its standard error, the test of its being 0, and its interval."""

    mean: float
    se: float
    t: float
    df: int
    p: float
    low: float
    high: float


def corrected_resampled_t(
    differences: Sequence[float] | np.ndarray, *, test_over_train: float, level: float = 0.95
) -> TTest:
    """Test the mean of paired differences over the folds of (repeated) cross-validation.

    Nadeau & Bengio, "Inference for the generalization error", Machine Learning 52 (2003), section 3: the
    variance of the mean is (1/J + n_test/n_train) s², for the training parts of two folds share examples; J - 1
    degrees of freedom. `test_over_train` is n_test/n_train = 1/(K-1) for K folds, not n_test/n. Without any
    spread t is 0 for a mean of 0 and infinite otherwise.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"a t-test needs at least 2 differences (got an array of shape {values.shape})")
    if not np.isfinite(values).all():
        raise ValueError("a t-test needs finite differences")
    mean, df = float(values.mean()), len(values) - 1
    se = math.sqrt((1 / len(values) + test_over_train) * float(values.var(ddof=1)))
    t = mean / se if se else math.copysign(math.inf, mean) if mean else 0.0
    reach = float(special.stdtrit(df, (1 + level) / 2)) * se
    p = float(2 * special.stdtr(df, -abs(t)))
    return TTest(mean=mean, se=se, t=t, df=df, p=p, low=mean - reach, high=mean + reach)
