"""The formulas of judging, on numbers alone, each with its paper."""

from harness.judge.stats.paired import TTest, corrected_resampled_t

__all__ = ["TTest", "corrected_resampled_t"]
