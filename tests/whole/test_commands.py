"""`harness run` with real training, killed and stopped: what holds then holds for whoever types the command."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.record.ledger import read_history
from harness.record.log import read_log
from tests.whole.commands import (
    BASELINE_FOLDS,
    Command,
    assert_kept,
    check_complete,
    count_folds,
    end_command,
    read_table,
    start_command,
    wait_for,
    write_suite,
)

pytestmark = [pytest.mark.whole, pytest.mark.faults]
Start = Callable[..., Command]
IN_MIDST = BASELINE_FOLDS + 5
STOP_S = 5.0
FAREWELL_S = 1.0  # between the end of the driver and that of what it killed
FORCED = ("forced", "SIGTERM: the folds that ran will run again")
GOES_ON = "the same command goes on"


@pytest.fixture(scope="module")
def undisturbed(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The table of the suite, run by one worker without a fault."""
    folder = tmp_path_factory.mktemp("undisturbed")
    write_suite(folder, tiny_bert)
    command = start_command(folder, 1)
    try:
        assert command.finish() == 0, command.said()
    finally:
        end_command(command)
    check_complete(command.run)
    return read_table(command.run)


@pytest.fixture
def start(tmp_path: Path, tiny_bert: Path) -> Iterator[Start]:
    """Start the command in the test's folder; what a failing test leaves behind is ended."""
    write_suite(tmp_path, tiny_bert)
    started: list[Command] = []

    def start(workers: int, *flags: str) -> Command:
        started.append(start_command(tmp_path, workers, *flags))
        return started[-1]

    yield start
    for command in started:
        end_command(command)


def finish(command: Command, table: Any) -> None:
    """The command ends well, and its run is what it would have been without a fault."""
    assert command.finish() == 0, command.said()
    check_complete(command.run)
    assert read_table(command.run) == table
    wait_for(lambda: not command.left(), f"end of {command.left()}", limit_s=STOP_S)
    assert "Traceback" not in command.said()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_run_goes_on_as_if_nothing_had_been(workers: int, start: Start, undisturbed: Any) -> None:
    command = start(workers)
    command.wait_for_folds(IN_MIDST)
    assert len(command.workers()) == (workers if workers > 1 else 0)
    os.kill(command.process.pid, signal.SIGKILL)
    command.finish()
    acknowledged = read_history(command.run)
    wait_for(lambda: not command.working(), "end of the workers", limit_s=15)

    again = start(workers)
    finish(again, undisturbed)
    assert_kept(acknowledged, read_history(again.run))


def test_a_killed_worker_costs_its_run_nothing(start: Start, undisturbed: Any) -> None:
    command = start(2)
    command.wait_for_folds(IN_MIDST)
    victim = min(command.workers())
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: len(set(command.workers()) - {victim}) == 2, "new worker")
    finish(command, undisturbed)


def check_forced(run: Path) -> None:
    """The log tells of the signal once, at its end, and of no fault."""
    entries = [(entry.kind, entry.text) for entry in read_log(run)]
    assert entries[-1] == FORCED
    assert not {"forced", "error"} & {kind for kind, _ in entries[:-1]}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_ends_at_once_on_sigterm_and_the_same_command_goes_on(
    workers: int, start: Start, undisturbed: Any
) -> None:
    command = start(workers)
    command.wait_for_folds(IN_MIDST)
    command.process.terminate()
    assert command.finish(STOP_S) == 143
    wait_for(lambda: not command.left(), f"end of {command.left()}", limit_s=FAREWELL_S)
    check_forced(command.run)
    acknowledged = read_history(command.run)
    assert acknowledged.damage == ()

    again = start(workers)
    finish(again, undisturbed)
    assert_kept(acknowledged, read_history(again.run))


def test_sigterm_while_the_workers_are_being_started_is_heard(start: Start) -> None:
    command = start(2)
    wait_for(lambda: any("gcs_server" in line for line in command.left().values()), "cluster")
    command.process.terminate()
    assert command.finish(STOP_S) == 143, command.said()
    wait_for(lambda: not command.left(), f"end of {command.left()}", limit_s=FAREWELL_S)
    assert "Traceback" not in command.said()
    check_forced(command.run)


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_lets_running_folds_end_and_the_same_command_goes_on(
    workers: int, start: Start, undisturbed: Any
) -> None:
    command = start(workers)
    command.wait_for_folds(IN_MIDST)
    command.interrupt()
    assert command.finish() == 130
    wait_for(lambda: not command.left(), f"end of {command.left()}", limit_s=STOP_S)
    assert "finishing the folds that run" in command.said()
    assert GOES_ON in command.said()
    acknowledged = read_history(command.run)
    assert IN_MIDST <= count_folds(command.run) <= IN_MIDST + 3 * workers
    assert read_table(command.run)["suite"] == "small"

    again = start(workers)
    finish(again, undisturbed)
    assert_kept(acknowledged, read_history(again.run))


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_twice_ends_a_run_at_once(workers: int, start: Start) -> None:
    endless = ("--set", "arms.head-only.epochs=100000", "--set", "arms.depth.epochs=100000")
    command = start(workers, *endless)
    command.wait_for_folds(BASELINE_FOLDS)
    command.interrupt()
    wait_for(lambda: "Ctrl-C again ends at once" in command.said(), "answer", limit_s=STOP_S)
    time.sleep(1)
    assert not command.ended, command.said()
    command.interrupt()
    assert command.finish(STOP_S) == 130
    wait_for(lambda: not command.left(), f"end of {command.left()}", limit_s=FAREWELL_S)
    history = read_history(command.run)
    assert history.damage == ()
    assert sum(len(record.folds) for record in history.trials.values()) == BASELINE_FOLDS
