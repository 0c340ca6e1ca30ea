"""Which sockets processes listen on, as Linux tells it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

LISTENS = "0A"
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def list_listening(pids: Iterable[int]) -> dict[tuple[str, int], int]:
    """Return the addresses that processes listen on, each with one of them; where all are meant, the loopback's."""
    known = {inode: address for family in ("tcp", "tcp6") for inode, address in _read(family).items()}
    found = {}
    for pid in pids:
        with suppress(OSError):  # it ended meanwhile
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    inode = str(descriptor.readlink()).removeprefix("socket:[").removesuffix("]")
                    if inode in known:
                        found[known[inode]] = pid
    return found


def _read(family: str) -> dict[str, tuple[str, int]]:
    """Return the addresses listened on by inode."""
    found = {}
    for line in Path(f"/proc/net/{family}").read_text().splitlines()[1:]:
        parts = line.split()
        if parts[3] == LISTENS:
            host, port = parts[1].split(":")
            found[parts[9]] = (_spell(bytes.fromhex(host)), int(port, 16))
    return found


def _spell(host: bytes) -> str:
    """Return an address as people write it; the kernel has four bytes at a time, the last one first."""
    words = b"".join(host[at : at + 4][::-1] for at in range(0, len(host), 4))
    text = str(ipaddress.ip_address(words))
    return LOOPBACK.get(text, text.removeprefix("::ffff:"))
