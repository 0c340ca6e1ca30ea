"""`harness plan` with hours, disk and memory, and the estimate that a run takes over from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Answer, Place

Harness = Callable[..., "Answer"]
MANY = ("--set", "search.trials=40")


def ask(place: Place, harness: Harness, *flags: str) -> dict[str, Any]:
    document: dict[str, Any] = harness(
        "plan", place.spec, "--results", place.results, "--json", *flags
    ).document()
    return document


def kept(tmp_path: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes() for path in (tmp_path / "cache" / "harness" / "timings").glob("*.json")
    }


def test_a_plan_times_each_task_once_and_a_run_says_what_it_expects_by_that(
    suite: Place, harness: Harness, tmp_path: Path
) -> None:
    plan = harness("plan", suite.spec, "--results", suite.results)
    assert plan.code == 0
    assert "estimate" in plan.out
    assert "on 1 worker (80 %: " in plan.out
    assert "needs" in plan.out
    assert "timing one fit of mood on bert (1 of 2); it is remembered" in plan.err
    before = kept(tmp_path)
    assert len(before) == 2
    again = harness("plan", suite.spec, "--results", suite.results)
    assert (again.err, kept(tmp_path)) == ("", before)
    run = harness("run", suite.spec, "--results", suite.results)
    first = run.err.splitlines()[1]  # before any fold of its own
    assert first.startswith("about ")
    assert first.endswith(" left on 1 worker")
    assert kept(tmp_path) == before  # a run measures nothing of its own


def test_a_run_that_nothing_was_timed_for_says_no_estimate(suite: Place, harness: Harness) -> None:
    first = harness("run", suite.spec, "--results", suite.results).err.splitlines()[1]
    assert "trials" in first


def test_the_seconds_of_a_plan_are_those_of_real_fits(suite: Place, harness: Harness) -> None:
    document = ask(suite, harness)
    assert [(each["task"], each["backbone"]) for each in document["timings"]] == [
        ("mood", "bert"),
        ("score", "bert"),
    ]
    for timing in document["timings"]:
        assert [depth for depth, _ in timing["depths"]] == [0, 2]
        assert all(0 < seconds < 60 for _, seconds in timing["depths"])
        assert {name for name, _ in timing["baselines"]} == {"majority", "probe"}
        assert timing["shelf_bytes"] > 0
        assert timing["peak_bytes"] > 10**8
    hours = document["hours"]
    assert 0 < hours["low_s"] < hours["expected_s"] < hours["high_s"] < 600
    assert document["room"]["measured"] is True


def test_given_hours_say_what_share_of_the_trials_is_done(suite: Place, harness: Harness) -> None:
    enough = ask(suite, harness, *MANY, "--hours", "9")["hours"]
    assert (enough["limit_s"], enough["share"]) == (9 * 3600, 1.0)
    short = ask(suite, harness, *MANY, "--hours", str(enough["expected_s"] / 2 / 3600))["hours"]
    assert 0.2 < short["share"] < 0.6
    budget = ask(suite, harness, *MANY, "--set", "budget={hours: 2}")["hours"]
    assert budget["limit_s"] == pytest.approx(7200, abs=60)
    told = harness("plan", suite.spec, *MANY, "--hours", str(short["limit_s"] / 3600)).out
    assert " % of 160 trials, and the table of these" in told
    assert "within 9 h: all of it" in harness("plan", suite.spec, *MANY, "--hours", "9").out


def test_a_plan_that_may_not_time_estimates_nothing_and_loads_no_torch(
    suite: Place, harness: Harness
) -> None:
    plan = harness("plan", suite.spec, "--results", suite.results, "--no-timing")
    assert plan.code == 0
    assert "no estimate: nothing was timed" in plan.out
    assert plan.err == ""


def test_a_run_that_is_done_has_nothing_to_be_timed(finished: Place, harness: Harness) -> None:
    document = ask(finished, harness)
    assert document["hours"]["expected_s"] == 0
    assert document["timings"] == []
    assert "estimate" not in harness("plan", finished.spec, "--results", finished.results).out


def test_a_task_that_cannot_be_fitted_is_told_and_the_plan_goes_on(suite: Place, harness: Harness) -> None:
    table = suite.spec.parent / "texts.csv"
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header, *(row.replace(",a", "e30,a") for row in rows)]))
    plan = harness("plan", suite.spec, "--results", suite.results)
    assert plan.code == 0
    assert "score · bert could not be timed: loss not finite" in plan.out


def test_what_this_machine_cannot_hold_is_refused_with_what_it_can(suite: Place, harness: Harness) -> None:
    plan = harness("plan", suite.spec, "--results", suite.results, "--set", "compute.workers=1024")
    assert plan.code == 3
    assert "does not fit: 1024 workers of" in plan.out
    assert "would fit (--workers" in " ".join(plan.out.split())
    document = harness("plan", suite.spec, "--set", "compute.workers=1024", "--json")
    assert document.code == 3
    assert len(document.document()["room"]["refusals"]) == 1
