"""Two answers to one question on real tweets: the corrected score of a search, and nested cross-validation of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.spec.load import load_spec
from harness.suite import run_suite

pytestmark = pytest.mark.whole
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "text" / "nested.yaml"


def test_the_corrected_and_the_nested_score_agree_within_their_intervals(tmp_path: Path) -> None:
    spec = load_spec(BENCHMARK)
    spec = spec.model_copy(
        update={
            "arms": {"head-only": spec.arms["head-only"]},
            "baselines": ("majority",),
            "search": spec.search.model_copy(update={"trials": 6}),
            "compute": spec.compute.model_copy(update={"workers": 1}),
        }
    )
    comparison = run_suite(spec, results=tmp_path).comparison
    cells = {cell.task: cell for cell in comparison.cells if cell.arm == "head-only"}
    corrected, nested = cells["corrected"], cells["nested"]
    assert corrected.score is not None
    assert nested.score is not None
    assert corrected.low is not None
    assert corrected.high is not None
    assert nested.low is not None
    assert nested.high is not None
    assert nested.low <= corrected.score <= nested.high
    assert corrected.low <= nested.score <= corrected.high
    assert nested.raw_best is not None
    assert nested.optimism == pytest.approx(nested.raw_best - nested.score)
    assert any("in each outer fold a full search chose a winner" in note for note in comparison.notes)
