"""A suite on several nodes that share no folder gives what one worker gives, and outlives the loss of a node."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.record.ledger import LEDGER, read_history
from tests.whole.commands import (
    LIMIT_S,
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
from tests.whole.nodes import Machines, Node, free_port, lack

pytestmark = [pytest.mark.whole, pytest.mark.faults]
Start = Callable[..., Command]
HERE = socket.gethostname()
REFUSED_S = 60.0  # 8 s where nothing else runs
LOST = re.compile(r" worker   process (\d+)")


@pytest.fixture(scope="module")
def undisturbed(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The table of the suite, run by one worker on this machine."""
    folder = tmp_path_factory.mktemp("undisturbed")
    write_suite(folder, tiny_bert)
    command = start_command(folder, 1)
    try:
        assert command.finish() == 0, command.said()
    finally:
        end_command(command)
    return read_table(command.run)


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """A head with a place for one worker, and one node beside it."""
    if reason := lack():
        pytest.skip(reason)
    made = Machines(hidden=tmp_path_factory.getbasetemp())
    try:
        made.open(cpus=1)
        made.add(2, cpus=1)
        yield made
    finally:
        made.close()


@pytest.fixture
def start(
    machines: Machines, tmp_path: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Start]:
    """Start the command on the cluster; what a failing test leaves behind is ended."""
    write_suite(tmp_path, tiny_bert)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(machines.token))
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    started: list[Command] = []

    def start(workers: int | None, *flags: str) -> Command:
        place = f"compute.address={machines.address}"
        started.append(
            start_command(tmp_path, workers, "--set", place, "--set", "compute.spread=true", *flags)
        )
        return started[-1]

    yield start
    for command in started:
        end_command(command)


def hosts(run: Path) -> Counter[str]:
    """Return how many folds each machine fitted."""
    if not (run / LEDGER).exists():
        return Counter()
    return Counter(fold.host for record in read_history(run).trials.values() for fold in record.folds)


def let_both_fit(command: Command, nodes: Sequence[Node]) -> None:
    """Hold whoever is ahead until every node has fitted a few folds: a worker's start takes longer than the suite."""
    held: list[int] = []
    try:
        end = time.monotonic() + LIMIT_S
        while (
            min(fitted := [hosts(command.run)[HERE if node.name == "head" else node.name] for node in nodes])
            < 4
        ):
            assert not command.ended, command.said()
            assert time.monotonic() < end, f"folds of each node: {fitted}"
            for node in [node for node, folds in zip(nodes, fitted, strict=True) if folds >= 4 and not held]:
                held += node.workers()
                hold(held)
            time.sleep(0.02)
    finally:
        for pid in held:
            os.kill(pid, signal.SIGCONT)


def hold(pids: Sequence[int]) -> None:
    """Let processes stand still."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)


def test_nodes_that_share_no_folder_give_the_table_of_one_worker(
    machines: Machines, start: Start, undisturbed: Any
) -> None:
    machines.token.chmod(0o644)  # as Ray itself leaves it
    command = start(2)
    let_both_fit(command, machines.nodes)
    assert command.finish() == 0, command.said()
    check_complete(command.run)
    assert read_table(command.run) == undisturbed
    head, node = machines.nodes
    assert node.parcels() == {"tiny-bert", "texts.csv"}
    assert head.parcels() == set()  # it sees the driver's folder
    assert not list(node.folder.glob("**/ledger.jsonl"))
    assert machines.token.stat().st_mode & 0o777 == 0o600
    wait_for(lambda: not command.left(), "end of its processes", limit_s=5)


def test_a_node_that_is_killed_costs_its_folds_once_and_one_that_is_added_gets_work(
    machines: Machines, start: Start, undisturbed: Any
) -> None:
    head, lost = machines.nodes[:2]
    command = start(None)
    let_both_fit(command, machines.nodes)
    (victim,) = lost.workers()
    hold([victim, *head.workers()])  # each in a fold, for the driver leaves none idle
    time.sleep(1)
    lost.kill()
    before, killed = read_history(command.run), time.monotonic()
    added = machines.add(3, cpus=1)
    wait_for(lambda: hosts(command.run)["node3"] > 0, "fold of the new node")
    for pid in head.workers():
        os.kill(pid, signal.SIGCONT)
    assert command.finish() == 0, command.said()
    assert time.monotonic() - killed < 90
    check_complete(command.run)
    assert read_table(command.run) == undisturbed
    assert_kept(before, read_history(command.run))
    assert added.parcels() == {"tiny-bert", "texts.csv"}
    assert f"worker   process {victim} on node2: " in (command.run / "run.log").read_text()
    lost_pids = {int(pid) for pid in LOST.findall((command.run / "run.log").read_text())}
    assert len(lost_pids) == 1  # nothing else was asked twice


def test_the_end_of_the_driver_ends_its_workers_on_all_nodes_and_the_same_command_goes_on(
    machines: Machines, start: Start, undisturbed: Any
) -> None:
    command = start(2)
    alive = [node for node in machines.nodes if node.process.poll() is None]
    wait_for(
        lambda: sum(len(node.workers()) for node in alive) == 2 and count_folds(command.run) > 5, "workers"
    )
    os.kill(command.process.pid, signal.SIGKILL)
    acknowledged = read_history(command.run)
    wait_for(lambda: not any(node.workers() for node in alive), "end of the workers", limit_s=30)
    again = start(1)
    assert again.finish() == 0, again.said()
    assert read_table(again.run) == undisturbed
    assert_kept(acknowledged, read_history(again.run))


def test_a_cluster_is_joined_only_with_its_token(
    machines: Machines, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "token"
    other.write_text("0" * 64)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(other))
    refused = start(1)
    assert refused.finish(REFUSED_S) == 3
    assert f"does not take the token that is here ({other})" in refused.said()
    address = f"127.0.0.1:{free_port('127.0.0.1')}"
    nobody = start(1, "--set", f"compute.address={address}")
    assert nobody.finish(REFUSED_S) == 3
    assert f"no Ray cluster answers at {address}" in nobody.said()
    assert "Traceback" not in nobody.said()


def test_a_cluster_that_lets_anybody_in_is_refused_unless_the_risk_is_taken(
    machines: Machines, start: Start, undisturbed: Any
) -> None:
    machines.open_unprotected()
    place = f"compute.address=127.0.0.1:{machines.unprotected}"
    refused = start(1, "--set", place)
    assert refused.finish(REFUSED_S) == 3
    assert "lets anybody in who reaches it" in refused.said()
    command = start(1, "--set", place, "--insecure")
    assert command.finish() == 0, command.said()
    assert read_table(command.run) == undisturbed
