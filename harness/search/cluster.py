"""Cluster: the private Ray cluster of one process, with its folder and its token."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.credentials import names_secret

OBJECT_STORE_BYTES = 100_000_000  # jobs and scores are small; data reach the workers by files
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# Ray 2.60 prints the deaths of workers on our stdout, log_to_driver=False or not; this drops every such line.
QUIET = {"RAY_DEDUP_LOGS": "1", "RAY_DEDUP_LOGS_SKIP_REGEX": "."}
# What workers read was fetched before they start: they ask no hub, and so need no token of one.
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
PREFIX = "harness-ray-"
FRESH_S = 60  # a folder younger than this may not be claimed yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster that runs: its folder, and the descriptor that keeps other processes from removing it."""

    folder: Path
    claim: int

    def close(self) -> None:
        """End the cluster and remove its folder."""
        import ray

        ray.shutdown()
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self.claim)


def start_cluster(*, workers: int, threads: int) -> Cluster:
    """Start Ray on this machine with a place for each worker, reached by nobody without its token.

    Its processes import what this process can import, see no secret of its environment, and end within seconds of
    this process, even after kill -9; the next cluster removes the folder that is left then.
    """
    # Sockets of Ray lie below this folder, and their paths may have 107 bytes: TMPDIR may be too long.
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir="/tmp"))
    cluster = Cluster(folder=folder, claim=_claim(folder))
    try:
        _sweep()
        _start(folder, workers, threads)
    except BaseException:
        cluster.close()
        raise
    return cluster


def _start(folder: Path, workers: int, threads: int) -> None:
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(_token())
    # Ray puts the working directory on its workers' path: a torch.py that lies there must not be imported.
    with _environment(token, threads), chdir(folder):
        import ray  # not before: it reads the authentication mode when it is imported

        ray.init(
            address="local",
            num_cpus=workers,
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
    lent["PYTHONPATH"] = os.pathsep.join(str(Path(place).absolute()) for place in sys.path)
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
