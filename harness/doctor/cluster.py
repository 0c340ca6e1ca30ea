"""Cluster: what Ray needs on this machine, looked at without starting it."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.doctor.finding import Finding, fail, praise, warn

LONGEST_BYTES = 107  # of a socket's path, by the kernel
# What Ray 2.60 puts below the folder that it is given: its longest socket.
SOCKET = "harness-ray-xxxxxxxx/session_2026-01-01_00-00-00_000000_0000000/sockets/plasma_store"
STORE_BYTES = 100_000_000  # what a run reserves in shared memory


def check_sockets(base: Path) -> Finding:
    """Say whether the paths of Ray's sockets below `base` are short enough, and whether it can be written."""
    length = len(os.fsencode(base / SOCKET))
    if length > LONGEST_BYTES:
        told = f"sockets below {base} would have paths of {length} bytes, and {LONGEST_BYTES} is the most"
        return fail("ray", told, "use a shorter folder, or --workers 1, which needs no Ray")
    if not os.access(base, os.W_OK | os.X_OK):
        return fail("ray", f"{base} cannot be written", f"make {base} writable, or run with --workers 1")
    return praise("ray", f"sockets below {base} have paths of {length} bytes, of {LONGEST_BYTES}")


def check_store(shared: Path) -> Iterator[Finding]:
    """Say whether shared memory holds what workers exchange."""
    if shared.is_dir() and (free := shutil.disk_usage(shared).free) < STORE_BYTES:
        yield warn(
            "ray",
            f"{shared} has {free / 1e6:.0f} MB, and Ray wants {STORE_BYTES / 1e6:.0f}: it would use a slower folder",
            "give the container more, such as `--shm-size 1g`",
        )


def check_settings(environment: Mapping[str, str], home: Path) -> Iterator[Finding]:
    """Say which settings of Ray lie around that most runs do not take, or that others could read."""
    if environment.get("RAY_ADDRESS"):
        yield warn(
            "ray",
            "RAY_ADDRESS is set, and a run follows it only where its spec says `compute.address: auto`",
            "unset RAY_ADDRESS, unless a spec asks for it by `auto`",
        )
    token = Path(environment.get("RAY_AUTH_TOKEN_PATH") or home / ".ray" / "auth_token").expanduser()
    if token.is_file() and (mode := stat.S_IMODE(token.stat().st_mode)) & 0o077:
        yield warn(
            "ray",
            f"{token} has mode {mode:04o}: others on this machine can read the token, and run code as you",
            f"chmod 600 {token}",
        )
