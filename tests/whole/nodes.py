"""Ray nodes on one machine that share nothing: each has its own network, name, folders, and does not see the driver's.

Needs root, for namespaces, and the commands `ip` and `unshare`.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from harness.cli.descendants import find_descendants
from tests.whole.commands import ROOT, WORKER, wait_for

RAY = [sys.executable, "-c", "import sys; from ray.scripts.scripts import main; sys.exit(main())"]
NET = "10.213.77"
STORE = 80_000_000


def lack() -> str | None:
    """Return why such nodes cannot be had here, None where they can."""
    if os.geteuid() != 0:
        return "namespaces of networks and mounts need root"
    if not (shutil.which("ip") and shutil.which("unshare")):
        return "the commands ip (iproute2) and unshare (util-linux) are not installed"
    tried = subprocess.run(["unshare", "--mount", "--uts", "--net", "true"], capture_output=True, text=True)
    return tried.stderr.strip() or None


@dataclass(slots=True, kw_only=True)
class Node:
    """One node: its processes and its folder."""

    name: str
    folder: Path
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """End every process of it at once, as a loss of power does."""
        for pid in (self.process.pid, *find_descendants(self.process.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def workers(self) -> list[int]:
        """Return its processes in which folds are fitted."""
        return [pid for pid in find_descendants(self.process.pid) if read_name(pid).startswith(WORKER)]

    def said(self) -> str:
        """Return what it wrote."""
        return (self.folder / "said.txt").read_text()

    def parcels(self) -> set[str]:
        """Return the names of what it fetched."""
        found = (self.folder / "cache" / "harness" / "parcels").glob("[0-9a-f]*/*")
        return {path.name for path in found}


@dataclass(slots=True, kw_only=True)
class Machines:
    """A head in the test's own network, and nodes behind a bridge."""

    hidden: Path  # what the nodes do not see
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="hx-", dir="/tmp")))
    nodes: list[Node] = field(default_factory=list)
    mark: str = field(default_factory=lambda: secrets.token_hex(2))
    port: int = 0
    unprotected: int = 0  # the port of a second cluster

    @property
    def address(self) -> str:
        """The head's, for `compute.address`."""
        return f"{NET}.1:{self.port}"

    @property
    def token(self) -> Path:
        """The file that lets in."""
        return self.folder / "token"

    def open(self, *, cpus: int) -> Node:
        """Make the network and start the head, a node on which the driver can run."""
        self.token.touch(mode=0o600)
        self.token.write_text(secrets.token_hex(32))
        ip("link", "add", f"hx{self.mark}", "type", "bridge")
        ip("addr", "add", f"{NET}.1/24", "dev", f"hx{self.mark}")
        ip("link", "set", f"hx{self.mark}", "up")
        self.port = free_port(f"{NET}.1")
        return self._start("head", f"{NET}.1", cpus, self._as_head("ray", self.port), [])

    def open_unprotected(self) -> Node:
        """Start a cluster of one node that asks nobody for a token."""
        self.unprotected = free_port("127.0.0.1")
        head = self._as_head("open", self.unprotected)
        return self._start("unprotected", "127.0.0.1", 1, head, ["env", "RAY_AUTH_MODE=disabled"])

    def _as_head(self, name: str, port: int) -> list[str]:
        return ["--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={self.folder / name}"]

    def add(self, number: int, *, cpus: int) -> Node:
        """Start a node that is a machine of its own."""
        space, inner, outer = f"hx{self.mark}-{number}", f"hi{self.mark}{number}", f"ho{self.mark}{number}"
        ip("netns", "add", space)
        ip("link", "add", outer, "type", "veth", "peer", "name", inner)
        ip("link", "set", outer, "master", f"hx{self.mark}", "up")
        ip("link", "set", inner, "netns", space)
        ip("-n", space, "addr", "add", f"{NET}.{number}/24", "dev", inner)
        ip("-n", space, "link", "set", inner, "up")
        ip("-n", space, "link", "set", "lo", "up")
        enter = f'hostname node{number} && mount -t tmpfs none {self.hidden} && exec "$@"'
        alone = ["ip", "netns", "exec", space, "unshare", "--mount", "--uts", "sh", "-c", enter, "sh"]
        return self._start(f"node{number}", f"{NET}.{number}", cpus, [f"--address={self.address}"], alone)

    def _start(self, name: str, address: str, cpus: int, flags: list[str], alone: list[str]) -> Node:
        folder = self.folder / name
        for part in ("tmp", "home", "work"):
            (folder / part).mkdir(parents=True)
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "HF_TOKEN": "canary",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.token),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        common = [
            f"--node-ip-address={address}",
            f"--num-cpus={cpus}",
            f"--object-store-memory={STORE}",
            "--block",
        ]
        with (folder / "said.txt").open("wb") as said:
            process = subprocess.Popen(
                [*alone, *RAY, "start", *flags, *common, "--disable-usage-stats"],
                cwd=folder / "work",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        node = Node(name=name, folder=folder, process=process)
        self.nodes.append(node)
        wait_for(lambda: "Ray runtime started" in node.said() or process.poll() is not None, name)
        assert process.poll() is None, node.said()
        return node

    def close(self) -> None:
        """End all nodes, the network with them, and remove their folders."""
        for node in self.nodes:
            node.kill()
        for space in subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout.split():
            if space.startswith(f"hx{self.mark}-"):
                ip("netns", "delete", space)
        subprocess.run(["ip", "link", "delete", f"hx{self.mark}"], capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def free_port(address: str) -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind((address, 0))
        port: int = free.getsockname()[1]
        return port


def read_name(pid: int) -> str:
    """Return the command line of a process, "" for one that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def ip(*words: str) -> None:
    """Change the network."""
    ran = subprocess.run(["ip", *words], capture_output=True, text=True)
    assert ran.returncode == 0, f"ip {' '.join(words)}: {ran.stderr}"
