"""`harness selfcheck`: the harness proves its own statistics on data whose truth is known, offline."""

from __future__ import annotations

from collections.abc import Iterator

from harness.selfcheck.alarms import count_false_alarms
from harness.selfcheck.coverage import cover_null_suites
from harness.selfcheck.finding import Finding
from harness.selfcheck.labels import shuffle_labels
from harness.selfcheck.names import rename_everything
from harness.selfcheck.planted import find_planted_differences

__all__ = ["Finding", "check_statistics"]


def check_statistics(*, quick: bool = False) -> Iterator[Finding]:
    """Yield what each check finds, one figure with its band at a time; the same figures at every call.

    `quick` simulates less, within the same bands.
    """
    yield from shuffle_labels(shuffles=5 if quick else 20, candidates=30)
    yield from count_false_alarms(
        simulations=4000, rankings=400 if quick else 4000, bootstraps=20 if quick else 400
    )
    yield from find_planted_differences(simulations=200)
    yield from cover_null_suites(suites=10 if quick else 200)
    yield from rename_everything()
