"""Cluster: the Ray cluster that folds are fitted in, this process's own or one that others run."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.credentials import names_secret
from harness.errors import EnvironmentFault

OBJECT_STORE_BYTES = 100_000_000  # jobs and scores are small; data reach the workers by files
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# Ray 2.60 prints the deaths of workers on our stdout, log_to_driver=False or not; the first two drop every such line.
# Its statistics of use go out to the network, and under `uv run` it would rebuild the environment in each worker.
QUIET = {
    "RAY_DEDUP_LOGS": "1",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}
# What workers read was fetched before they start: they ask no hub, and so need no token of one.
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
PREFIX = "harness-ray-"
FRESH_S = 60  # a folder younger than this may not be claimed yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster that this process is part of: its folder here, held so that nobody removes it."""

    folder: Path
    claim: int
    shared: bool  # it is others' too: it has nodes elsewhere, which come and go

    def close(self) -> None:
        """End the workers, the cluster too where it is this process's own, and remove the folder."""
        import ray

        ray.shutdown()
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self.claim)


def start_cluster(*, cpus: int, threads: int = 1) -> Cluster:
    """Start Ray on this machine with as many places, reached by nobody without its token.

    Its processes import what this process can import, see no secret of its environment, and end within seconds of
    this process, even after kill -9; the next cluster removes the folder that is left then.
    """
    cluster = _open_folder(shared=False)
    try:
        _sweep()
        _start(cluster.folder, cpus, threads)
    except BaseException as fault:
        cluster.close()
        if not _is_outside(fault):
            raise
        raise EnvironmentFault(
            f"Ray does not start on this machine ({_first_line(fault)}): look at its load, memory and disk; with "
            "--workers 1 a run needs no Ray"
        ) from fault
    return cluster


def connect_cluster(address: str, credentials: Mapping[str, str]) -> Cluster:
    """Join a cluster that runs, with the variables that Ray reads its token from.

    Its workers have the environment and the path of their nodes; they end within seconds of this process.
    """
    cluster = _open_folder(shared=True)
    try:
        with chdir(cluster.folder), _without("RAY_ADDRESS"):
            os.environ |= {**QUIET, **credentials}  # Ray reads them for as long as it runs
            import ray  # not before: it reads the authentication mode when it is imported

            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except BaseException as fault:
        cluster.close()
        if not _is_outside(fault):
            raise
        raise EnvironmentFault(
            f"compute.address: the Ray cluster at {address} cannot be joined: {_first_line(fault)}"
        ) from fault
    return cluster


def _is_outside(fault: BaseException) -> bool:
    """Say whether Ray tells by this that the machine or the cluster is not as it needs them."""
    # Ray 2.60 says by a bare one that its processes were not up in 30 s.
    return type(fault) is Exception or isinstance(
        fault, ConnectionError | TimeoutError | RuntimeError | ValueError
    )


def _first_line(fault: BaseException) -> str:
    return (str(fault).strip().splitlines() or [type(fault).__name__])[0]


def count_places(*, cpus: float, gpus: float) -> int:
    """Return how many workers that claim so much the cluster's nodes have room for, whoever takes it now."""
    claims = {name: claim for name, claim in (("CPU", cpus), ("GPU", gpus)) if claim}
    return sum(
        min(int(node["Resources"].get(name, 0) / claim) for name, claim in claims.items())
        for node in _list_alive()
    )


def list_nodes() -> frozenset[str]:
    """Return Ray's names of the nodes that live."""
    return frozenset(node["NodeID"] for node in _list_alive())


def _list_alive() -> list[dict[str, Any]]:
    import ray

    return [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]  # Ray's own lack of types


def own_path() -> str:
    """Return what another process needs as PYTHONPATH to import what this one can."""
    return os.pathsep.join(str(Path(place).absolute()) for place in sys.path)


def _open_folder(*, shared: bool) -> Cluster:
    # Sockets of Ray lie below this folder, and their paths may have 107 bytes: TMPDIR may be too long.
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir="/tmp"))
    return Cluster(folder=folder, claim=_claim(folder), shared=shared)


@contextmanager
def _without(name: str) -> Iterator[None]:
    """Hide a variable of the environment for a while."""
    before = os.environ.pop(name, None)
    try:
        yield
    finally:
        if before is not None:
            os.environ[name] = before


def find_own_node() -> str:
    """Return Ray's name of the node that this process belongs to."""
    import ray

    node: str = ray.get_runtime_context().get_node_id()
    return node


def _start(folder: Path, cpus: int, threads: int) -> None:
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(_token())
    # Ray puts the working directory on its workers' path: a torch.py that lies there must not be imported.
    with _environment(token, threads), chdir(folder):
        import ray  # not before: it reads the authentication mode when it is imported

        ray.init(
            address="local",
            num_cpus=cpus,
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            log_to_driver=False,
            logging_level=logging.ERROR,
            # Ray 2.60 opens this folder to everybody; the one around it stays its user's.
            _temp_dir=str(folder / "ray"),
        )


@cache
def _token() -> str:
    """Return this process's token; Ray keeps the first one that it reads, so a second cluster has the same."""
    return secrets.token_hex(32)


@contextmanager
def _environment(token: Path, threads: int) -> Iterator[None]:
    """Start Ray's processes with the token, the threads and this process's path, and without its secrets."""
    before = dict(os.environ)
    hidden = [name for name in before if names_secret(name) or name == "RAY_ADDRESS"]
    for name in hidden:
        del os.environ[name]
    lent = dict.fromkeys(THREADS, str(threads)) | OFFLINE
    lent["PYTHONPATH"] = own_path()
    back = {name for name in (*hidden, *lent) if not name.startswith("RAY_")}
    os.environ |= lent
    # Ray reads these for as long as it runs, so they stay.
    os.environ |= QUIET | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    try:
        yield
    finally:
        for name in lent:
            del os.environ[name]
        os.environ |= {name: value for name, value in before.items() if name in back}


def _claim(folder: Path) -> int:
    """Hold a cluster's folder until this process ends: whoever can lock it may remove it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def _sweep() -> None:
    """Remove the folders of clusters whose process was killed."""
    for folder in Path("/tmp").glob(f"{PREFIX}*"):
        try:
            found = folder.lstat()
            if found.st_uid != os.getuid() or time.time() - found.st_mtime < FRESH_S:
                continue
            os.close(_claim(folder))
        except OSError:  # it is in use, or gone
            continue
        shutil.rmtree(folder, ignore_errors=True)
