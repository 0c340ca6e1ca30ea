"""A suite on several nodes that share no folder gives what one worker gives, and outlives the loss of a node."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.record.ledger import LEDGER, read_history
from tests.whole.commands import (
    Command,
    assert_kept,
    check_complete,
    end_command,
    read_table,
    start_command,
    wait_for,
    write_suite,
)
from tests.whole.nodes import Machines, free_port, lack

pytestmark = pytest.mark.whole
Start = Callable[..., Command]
HERE = socket.gethostname()
REFUSED_S = 30.0  # of which 10 s are the limit, the rest a busy machine's imports


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

    def start(workers: int, *flags: str) -> Command:
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


def test_nodes_that_share_no_folder_give_the_table_of_one_worker(
    machines: Machines, start: Start, undisturbed: Any
) -> None:
    machines.token.chmod(0o644)  # as Ray itself leaves it
    command = start(2)
    assert command.finish() == 0, command.said()
    check_complete(command.run)
    assert read_table(command.run) == undisturbed
    assert min(hosts(command.run)[name] for name in (HERE, "node2")) > 5
    head, node = machines.nodes
    assert node.parcels() == {"tiny-bert", "texts.csv"}
    assert head.parcels() == set()  # it sees the driver's folder
    assert not list(node.folder.glob("**/ledger.jsonl"))
    assert machines.token.stat().st_mode & 0o777 == 0o600
    assert command.left() == {}


def test_a_node_that_is_killed_costs_its_folds_once_and_one_that_is_added_gets_work(
    machines: Machines, start: Start, undisturbed: Any
) -> None:
    head, lost = machines.nodes[:2]
    command = start(3)
    wait_for(lambda: min(hosts(command.run)[name] for name in (HERE, "node2")) > 3, "folds of both")
    for pid in (*lost.workers(), *head.workers()):  # each in a fold, for the driver leaves none idle
        os.kill(pid, signal.SIGSTOP)
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
