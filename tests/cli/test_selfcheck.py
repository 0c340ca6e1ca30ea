"""`harness selfcheck`: quick in every test run, whole where there is time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from harness.selfcheck.finding import Finding

if TYPE_CHECKING:
    from tests.cli.conftest import Answer

Harness = Callable[..., "Answer"]
CHECKS = {"shuffled labels", "false alarms", "planted differences", "null suites", "names and order"}


def test_the_quick_self_check_finds_every_figure_in_its_band(harness: Harness) -> None:
    answer = harness("selfcheck", "--quick", "--json")
    findings = answer.document()["findings"]
    assert [finding for finding in findings if not finding["ok"]] == []
    assert (answer.code, answer.err, answer.document()["ok"]) == (0, "", True)
    assert {finding["check"] for finding in findings} == CHECKS


@pytest.mark.whole
def test_the_whole_self_check_finds_every_figure_in_its_band(harness: Harness) -> None:
    answer = harness("selfcheck")
    assert answer.code == 0, answer.out
    assert "FAILED" not in answer.out


@pytest.mark.parametrize("figure", [0.08, float("nan")])
def test_a_figure_out_of_its_band_fails(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, figure: float
) -> None:
    off = Finding(check="false alarms", what="a test that cries wolf", figure=figure, low=0.03, high=0.07)

    def check(*, quick: bool) -> Iterator[Finding]:
        yield off

    monkeypatch.setattr("harness.selfcheck.check_statistics", check)
    answer = harness("selfcheck")
    assert answer.code == 1
    assert answer.out == f" FAILED false alarms: a test that cries wolf: {figure:g} in [0.03, 0.07]\n"
    told = harness("selfcheck", "--json")
    assert told.code == 1
    assert told.document()["ok"] is False
    assert told.document()["findings"][0]["figure"] == (None if figure != figure else figure)
