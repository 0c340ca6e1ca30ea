"""Detectable: the smallest difference between two methods that their folds would find."""

from __future__ import annotations

import math

from harness.judge.stats import laws

STEPS = 60  # of a bisection: more than a double can tell apart


def corrected_t_power(
    difference: float,
    sd: float,
    *,
    folds: int,
    repeats: int = 1,
    test_over_train: float | None = None,
    alpha: float = 0.05,
) -> float:
    """Return how probable it is that the corrected resampled t finds a difference, two-sided at `alpha`.

    `sd` is the standard deviation of one fold's difference. Under Nadeau & Bengio's variance of the mean (Machine
    Learning 52, 2003, section 3), (1/J + n_test/n_train) sd² for J folds over all repeats, t is a noncentral Student
    with J - 1 degrees of freedom around difference / sqrt of that variance. `test_over_train` is 1/(K-1) for K folds
    unless it is given.
    """
    spread = sd * _spread(folds, repeats, test_over_train)
    if not spread:
        return 1.0 if difference else 0.0
    return _find_power(abs(difference) / spread, folds * repeats - 1, alpha)


def detectable_difference(
    sd: float,
    *,
    folds: int,
    repeats: int = 1,
    test_over_train: float | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
) -> float:
    """Return the difference that the corrected resampled t finds with the given power: `corrected_t_power` inverted."""
    spread, df = sd * _spread(folds, repeats, test_over_train), folds * repeats - 1
    low, high = 0.0, 1.0
    while _find_power(high, df, alpha) < power:
        high *= 2
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _find_power(middle, df, alpha) < power else (low, middle)
    return high * spread


def detectable_share(
    examples: float, *, discordance: float, folds: int, repeats: int = 1, power: float = 0.8
) -> float:
    """Return the difference in the share of right answers that is found, `inf` if not even 1 is.

    A fold has examples / K; where two methods disagree on a share `discordance` of them, the variance of its difference
    is about discordance / (examples / K) (McNemar 1947: only discordant pairs tell). Two methods that differ by d
    disagree on d at least: a d beyond the discordance raises it.
    """
    if examples <= 0 or not 0 < discordance <= 1:
        raise ValueError(f"needs examples and a discordance in (0, 1] (got {examples} and {discordance})")
    unit = detectable_difference(math.sqrt(folds / examples), folds=folds, repeats=repeats, power=power)
    found = unit * math.sqrt(discordance)
    if found > discordance:
        found = unit**2  # d = unit sqrt(d)
    return found if found <= 1 else math.inf


def count_effective(examples: int, groups: int | None, *, alike: float) -> float:
    """Return how many independent examples tell as much as these, in groups of about one size.

    Kish, "Survey Sampling" (1965), section 5.4: examples / (1 + (m - 1) alike) for groups of m whose members correlate
    by `alike`.
    """
    if groups is None:
        return float(examples)
    return examples / (1 + max(0.0, examples / groups - 1) * alike)


def _spread(folds: int, repeats: int, test_over_train: float | None) -> float:
    if folds < 2 or repeats < 1:
        raise ValueError(f"needs 2 folds and 1 repeat (got {folds} and {repeats})")
    ratio = 1 / (folds - 1) if test_over_train is None else test_over_train
    return math.sqrt(1 / (folds * repeats) + ratio)


def _find_power(shift: float, df: int, alpha: float) -> float:
    limit = laws.student_quantile(1 - alpha / 2, df)
    above = 1 - laws.noncentral_student_below(limit, df, shift)
    below = laws.noncentral_student_below(-limit, df, shift)
    return above + (0.0 if math.isnan(below) else below)  # scipy 1.17 gives NaN for some tails below 1e-16
