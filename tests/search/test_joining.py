from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from harness.errors import EnvironmentFault
from harness.search import joining
from harness.search.joining import find_address, find_token, join_cluster


@pytest.fixture(autouse=True)
def _no_cluster_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_ADDRESS", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))


def test_auto_is_the_cluster_that_is_named_or_else_the_one_started_here_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EnvironmentFault, match=r"'auto', and there is no cluster: RAY_ADDRESS is not set"):
        find_address()
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("10.0.0.5:6379\n")
    assert find_address() == "10.0.0.5:6379"
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.6:6380")
    assert find_address() == "10.0.0.6:6380"


def test_a_token_is_looked_for_as_ray_does_and_made_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        EnvironmentFault, match=r"\.ray/auth_token cannot be read \(No such file or directory\)"
    ):
        find_token()
    kept = tmp_path / ".ray" / "auth_token"
    kept.parent.mkdir()
    kept.write_text(" \n")
    with pytest.raises(EnvironmentFault, match=r"auth_token is empty"):
        find_token()
    kept.write_text("abc")
    kept.chmod(0o644)
    assert find_token() == {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(kept)}
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "nowhere"))
    with pytest.raises(EnvironmentFault, match=r"nowhere cannot be read"):
        find_token()
    monkeypatch.setenv("RAY_AUTH_TOKEN", "def")
    assert find_token() == {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "def"}


def test_an_address_that_nobody_answers_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(
        EnvironmentFault, match=rf"^compute\.address: no Ray cluster answers at 127\.0\.0\.1:{port} "
    ):
        join_cluster(f"127.0.0.1:{port}", insecure=False)
    monkeypatch.setenv("RAY_ADDRESS", "ray://127.0.0.1:10001")
    with pytest.raises(EnvironmentFault, match=r"a cluster's address is HOST:PORT \(got 'ray://127"):
        join_cluster("auto", insecure=False)


def test_what_listens_and_is_no_cluster_is_told_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "KNOCK_S", 1.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        with pytest.raises(EnvironmentFault, match=r"does not answer as Ray does within 1 s$"):
            join_cluster(f"127.0.0.1:{port}", insecure=False)


def test_a_machine_outside_the_cluster_is_told_to_go_inside() -> None:
    joining._refuse_stranger("10.0.0.5:6379", ["192.0.2.77", "127.0.0.1"])
    with pytest.raises(
        EnvironmentFault, match=r"this machine is no node of the Ray cluster at 10\.0\.0\.5:6379"
    ):
        joining._refuse_stranger("10.0.0.5:6379", ["192.0.2.77"])
