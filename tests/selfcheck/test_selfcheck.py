"""The self-check notices statistics that lie."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.judge import stats
from harness.selfcheck import alarms, coverage, names, planted


def test_a_test_that_takes_folds_for_independent_cries_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = stats.corrected_resampled_t

    def naive(differences: np.ndarray, *, test_over_train: float) -> stats.TTest:
        return honest(differences, test_over_train=0)

    assert next(alarms.count_false_alarms(simulations=500, rankings=1, bootstraps=1)).ok
    monkeypatch.setattr(stats, "corrected_resampled_t", naive)
    finding = next(alarms.count_false_alarms(simulations=500, rankings=1, bootstraps=1))
    assert not finding.ok
    assert finding.figure > 0.2


def test_an_interval_of_half_the_width_covers_too_little(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = stats.bbc_cv

    def narrow(scores: np.ndarray) -> stats.BBC:
        found = honest(scores, bags=50)
        return replace(
            found,
            low=found.estimate - (found.estimate - found.low) / 4,
            high=found.estimate + (found.high - found.estimate) / 4,
        )

    monkeypatch.setattr(coverage, "bbc_cv", narrow)
    covered, _ = coverage.cover_null_suites(suites=40)
    assert not covered.ok


def test_a_difference_that_is_not_planted_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planted, "GAIN", 0.0)
    found, held_back = planted.find_planted_differences(simulations=50)
    assert not found.ok
    assert held_back.ok


def test_a_ranking_that_knows_names_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = names.rank_scores

    def alphabetic(scores: dict[str, dict[str, float]]) -> names.Ranking:
        found = honest(scores)
        rows = sorted(found.rows, key=lambda row: row.arm)
        return replace(
            found, rows=tuple(replace(row, mean_rank=float(place)) for place, row in enumerate(rows))
        )

    monkeypatch.setattr(names, "rank_scores", alphabetic)
    table, run = names.rename_everything()
    assert not table.ok
    assert run.ok
