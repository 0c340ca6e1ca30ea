"""Join a Ray cluster that others run: found, reached, protected by a token that we have too."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from harness.errors import EnvironmentFault
from harness.search.cluster import Cluster, connect_cluster, own_path

CONNECT_S = 3.0
KNOCK_S = 20.0  # importing Ray takes 1.5 s of it, and ten times as long where the machine is busy
TOKEN = Path(".ray") / "auth_token"  # below the home folder: where Ray looks last


def join_cluster(address: str, *, insecure: bool) -> Cluster:
    """Return the cluster at an address, `auto` for the one that RAY_ADDRESS names or that this machine started last.

    Raises `EnvironmentFault` within seconds where nobody answers, where the cluster lets anybody in (unless
    `insecure`), where its token is not ours, and where this machine is none of its nodes.
    """
    place = find_address() if address == "auto" else address
    _reach(place)
    stranger = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    if _knock(place, stranger)[0]:
        if not insecure:
            raise EnvironmentFault(
                f"compute.address: the Ray cluster at {place} lets anybody in who reaches it, to run what they like: "
                "start it with RAY_AUTH_MODE=token (docs/cluster.md), or take the risk with --insecure"
            )
        _refuse_stranger(place, _knock(place, {"RAY_AUTH_MODE": "disabled"})[1])
        return connect_cluster(place, {"RAY_AUTH_MODE": "disabled"})
    token = find_token()
    let_in, nodes = _knock(place, token)
    if not let_in:
        raise EnvironmentFault(
            f"compute.address: the Ray cluster at {place} does not take the token that is here "
            f"({_say_origin(token)}): bring the one that its nodes were started with"
        )
    _refuse_stranger(place, nodes)
    return connect_cluster(place, token)


def find_address() -> str:
    """Return the address that RAY_ADDRESS names, or that of the cluster that was started on this machine last."""
    if named := os.environ.get("RAY_ADDRESS"):
        return named
    kept = Path(os.environ.get("RAY_TMPDIR") or "/tmp") / "ray" / "ray_current_cluster"
    try:
        return kept.read_text().strip()
    except OSError:
        raise EnvironmentFault(
            "compute.address is 'auto', and there is no cluster: RAY_ADDRESS is not set and none was started on this "
            "machine. Start one (docs/cluster.md), or leave the address out"
        ) from None


def find_token() -> dict[str, str]:
    """Return the variables by which Ray finds its token, looked for as Ray does; its file is made private.

    Ray 2.60 aborts the process where RAY_AUTH_TOKEN_PATH names no file.
    """
    token = {"RAY_AUTH_MODE": "token"}
    if text := os.environ.get("RAY_AUTH_TOKEN"):
        return token | {"RAY_AUTH_TOKEN": text}
    file = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / TOKEN).expanduser()
    try:
        empty = not file.read_text().strip()
    except OSError as fault:
        raise EnvironmentFault(
            f"compute.address: the cluster wants a token, and {file} cannot be read ({fault.strerror}): copy the "
            "cluster's token there, or name its file by RAY_AUTH_TOKEN_PATH"
        ) from None
    if empty:
        raise EnvironmentFault(f"compute.address: the cluster wants a token, and {file} is empty")
    found = file.stat()
    if found.st_mode & 0o077 and found.st_uid == os.getuid() and os.access(file, os.W_OK):
        file.chmod(0o600)  # Ray writes it for all to read
    return token | {"RAY_AUTH_TOKEN_PATH": str(file.absolute())}


def _reach(place: str) -> None:
    """Raise `EnvironmentFault` where nobody listens: Ray itself tries for most of a minute."""
    host, _, port = place.rpartition(":")
    if not (host and port.isdigit()) or "/" in host:
        raise EnvironmentFault(f"compute.address: a cluster's address is HOST:PORT (got '{place}')")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_S).close()
    except (OSError, OverflowError) as fault:
        raise EnvironmentFault(
            f"compute.address: no Ray cluster answers at {place} ({fault}): is it up, and is the port right?"
        ) from None


def _knock(place: str, credentials: Mapping[str, str]) -> tuple[bool, list[str]]:
    """Return whether a cluster lets in whoever has these credentials, and then the addresses of its nodes."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("RAY_")}
    command = [sys.executable, "-P", "-m", "harness.search.knock", place, str(CONNECT_S)]
    try:
        ran = subprocess.run(
            command,
            env={**environment, **credentials, "PYTHONPATH": own_path()},
            capture_output=True,
            text=True,
            timeout=KNOCK_S,
        )
        said = json.loads(ran.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        raise EnvironmentFault(
            f"compute.address: what listens at {place} does not answer as Ray does within {KNOCK_S:g} s"
        ) from None
    return bool(said["let_in"]), list(said["nodes"])


def _refuse_stranger(place: str, nodes: list[str]) -> None:
    """Raise `EnvironmentFault` where this machine is no node of the cluster: a driver talks to its own node."""
    if not any(_is_here(address) for address in nodes):
        raise EnvironmentFault(
            f"compute.address: this machine is no node of the Ray cluster at {place}: run the command on one of them "
            f"(the head is right), or add this one by `ray start --num-cpus=0 --address={place}`"
        )


def _is_here(address: str) -> bool:
    """Say whether an address is one of this machine's: nothing else can be bound."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as trial:
        try:
            trial.bind((address, 0))
        except OSError:
            return False
    return True


def _say_origin(token: Mapping[str, str]) -> str:
    return token.get("RAY_AUTH_TOKEN_PATH", "the variable RAY_AUTH_TOKEN")
