"""A real suite against a real clock: two Ray workers, far more trials than there is time for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from harness.record.ledger import read_history
from tests.whole.commands import Command, end_command, start_command, write_suite

pytestmark = [pytest.mark.whole, pytest.mark.faults]
LEAST_S = 75  # importing torch in two workers takes a third of it on a busy machine
OVERRUN_S = 30


@pytest.fixture
def started(tmp_path: Path, tiny_bert: Path) -> Iterator[tuple[Command, datetime]]:
    """The command under way, and the full minute at which it should have ended."""
    write_suite(tmp_path, tiny_bert)
    soonest = datetime.now().astimezone() + timedelta(seconds=LEAST_S)
    end = soonest.replace(second=0, microsecond=0) + timedelta(minutes=1)
    command = start_command(
        tmp_path, 2, "--set", f"budget.finish_by='{end:%H:%M}'", "--set", "search.trials=5000"
    )
    yield command, end
    end_command(command)


def test_a_suite_is_done_by_the_time_that_was_given(started: tuple[Command, datetime]) -> None:
    command, end = started
    code = command.finish(limit_s=(end - datetime.now().astimezone()).total_seconds() + OVERRUN_S)
    assert code == 0, command.said()
    assert f"the budget ended: budget.finish_by is {end:%H:%M}: the same command goes on" in command.said()
    assert not command.working()
    history = read_history(command.run)
    folds = [fold for record in history.trials.values() for fold in record.folds]
    assert {fold.state for fold in folds} == {"ok"}
    last = max(datetime.fromisoformat(fold.started_at) for fold in folds)
    assert end - last < timedelta(seconds=25)  # the time was used, but for the tables'
    table = json.loads((command.run / "table.json").read_text())
    assert {cell["arm"] for cell in table["cells"]} == {"majority", "head-only", "depth"}
    arms = [cell for cell in table["cells"] if cell["kind"] == "arm"]
    assert all(cell["score"] is not None for cell in arms)
    asked = Counter(study for study, _ in history.trials)
    searched = [trials for trials in asked.values() if trials > 1]
    assert len(searched) == len(arms)
    assert min(searched) >= 4
    assert max(searched) <= 1.5 * min(searched) + 2
