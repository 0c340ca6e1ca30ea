"""The formulas of judging, on numbers alone, each with its paper."""

from harness.judge.stats.bbc import BBC, bbc_cv, bbc_cv_metric
from harness.judge.stats.many import (
    BradleyTerry,
    Friedman,
    Nemenyi,
    bradley_terry,
    friedman,
    holm,
    interquartile_mean,
    nemenyi,
    nemenyi_critical_difference,
)
from harness.judge.stats.paired import (
    FTest,
    Interval,
    Posterior,
    SignedRanks,
    TTest,
    corrected_resampled_t,
    correlated_bayesian_t,
    five_by_two_f,
    mcnemar_exact,
    wilcoxon_exact,
    wilson,
)

__all__ = [
    "BBC",
    "BradleyTerry",
    "FTest",
    "Friedman",
    "Interval",
    "Nemenyi",
    "Posterior",
    "SignedRanks",
    "TTest",
    "bbc_cv",
    "bbc_cv_metric",
    "bradley_terry",
    "corrected_resampled_t",
    "correlated_bayesian_t",
    "five_by_two_f",
    "friedman",
    "holm",
    "interquartile_mean",
    "mcnemar_exact",
    "nemenyi",
    "nemenyi_critical_difference",
    "wilcoxon_exact",
    "wilson",
]
