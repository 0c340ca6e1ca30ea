"""Storage: whether a folder keeps what it is told, which everything that survives a crash rests on."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.doctor.finding import Finding, fail, praise, warn
from harness.record.files import find_parent, sync_folder

WRITES = 24
LINE = b"x" * 511 + b"\n"  # about a ledger's line
# No disk answers so soon: an NVMe write takes 10 us by itself, tmpfs answers in 3, a virtual disk here in 165.
IMPOSSIBLE_S = 12e-6
SLOW_S = 0.05
MEMORY = ("tmpfs", "ramfs", "devtmpfs")
NETWORK = (
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "virtiofs",
    "ceph",
    "lustre",
    "beegfs",
    "gpfs",
    "afs",
)
LEAST_BYTES = 10**9
LITTLE_BYTES = 10 * 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """The file system that a folder lies on."""

    point: Path
    kind: str


def check_results(results: Path, mounts: str, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Say whether runs under `results` are safe from crashes and from each other; nothing of it is left behind."""
    folder = find_parent(results)
    try:
        with tempfile.TemporaryDirectory(prefix=".harness-doctor-", dir=folder) as scratch:
            yield from check_kind(folder, find_mount(folder, mounts))
            yield check_sync(measure_sync(Path(scratch)), environment)
            yield check_claim(Path(scratch))
            yield check_rename(Path(scratch))
    except OSError as fault:
        yield fail(
            "results",
            f"{folder}: nothing can be written there ({fault.strerror or fault})",
            "make it writable, or give another folder with --results",
        )


def find_mount(folder: Path, mounts: str) -> Mount | None:
    """Return where a folder lies, by the text of /proc/mounts; None where it does not say."""
    resolved = folder.resolve()
    found: Mount | None = None
    for words in map(str.split, mounts.splitlines()):
        if len(words) < 3:
            continue
        point = Path(words[1].replace("\\040", " "))  # how the kernel spells a blank there
        if resolved.is_relative_to(point) and (found is None or len(point.parts) >= len(found.point.parts)):
            found = Mount(point=point, kind=words[2])  # of two on one point the later one covers the first
    return found


def check_kind(folder: Path, mount: Mount | None) -> Iterator[Finding]:
    """Say what kind of file system a run's folder lies on, and what it does not keep."""
    if mount is None:
        return
    where = f"{folder} lies on {mount.kind} ({mount.point})"
    if mount.kind in MEMORY:
        yield warn(
            "results",
            f"{where}: this is memory, a restart of the machine loses every run",
            "give a folder on a disk with --results",
        )
    elif mount.kind in NETWORK or mount.kind.startswith("fuse"):
        yield warn(
            "results",
            f"{where}, over a network: fsync is the server's word, and a lock may not reach other machines",
            "write to a local disk and copy the run afterwards, or never start a run twice from two machines",
        )
    elif mount.kind == "overlay":
        yield warn(
            "results",
            f"{where}, a container's own layer: it goes when the container is removed",
            "mount a volume and give it with --results",
        )
    else:
        yield praise("results", where)


def measure_sync(folder: Path) -> float:
    """Return the median seconds that an appended line takes to be durable there."""
    path = folder / "ledger"
    times = []
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        for _ in range(WRITES):
            before = time.perf_counter()
            os.write(descriptor, LINE)
            os.fsync(descriptor)
            times.append(time.perf_counter() - before)
    finally:
        os.close(descriptor)
    return statistics.median(times)


def check_sync(seconds: float, environment: Mapping[str, str]) -> Finding:
    """Say what the time of an fsync means: too fast is no disk, too slow holds up short fits."""
    told = f"a durable line takes {seconds * 1000:.3g} ms"
    if "eatmydata" in environment.get("LD_PRELOAD", ""):
        return warn("fsync", "libeatmydata is loaded: fsync does nothing", "unset LD_PRELOAD")
    if seconds < IMPOSSIBLE_S:
        return warn(
            "fsync",
            f"{told}, faster than any disk: fsync does nothing here, and a power cut loses what was acknowledged "
            "(kill -9 does not)",
            "give a folder on a disk with --results, or accept it for a trial",
        )
    if seconds > SLOW_S:
        return warn(
            "fsync",
            f"{told}: each fit waits for several of them",
            "give a folder on a local disk with --results",
        )
    return praise("fsync", told)


def check_claim(folder: Path) -> Finding:
    """Say whether a second process would be kept out of a run: two open files cannot hold one flock."""
    path = folder / "claim"
    with path.open("w") as first, path.open("w") as second:
        try:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            return fail(
                "flock",
                f"locks do not work there ({fault.strerror}): no run can start",
                "give a folder on a local disk with --results",
            )
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return praise("flock", "a second process on a run is kept out")
    return fail(
        "flock",
        "a lock that is held was given a second time: two processes could write one run",
        "give a folder on a local disk with --results",
    )


def check_rename(folder: Path) -> Finding:
    """Say whether a file replaces another under its name and the folder can be synced, as every table is written."""
    old, new = folder / "table", folder / ".table.tmp"
    old.write_bytes(b"old")
    new.write_bytes(b"new")
    try:
        new.replace(old)
        sync_folder(folder)
    except OSError as fault:
        if fault.errno in (errno.EINVAL, errno.ENOTSUP):
            return warn(
                "rename",
                f"a folder cannot be synced there ({fault.strerror}): a power cut may bring back an older table",
                "give a folder on a local disk with --results",
            )
        raise
    if old.read_bytes() != b"new" or new.exists():
        return fail(
            "rename", "a rename left both files there", "give a folder on a local disk with --results"
        )
    return praise("rename", "files are replaced whole")


def check_room(what: str, folder: Path) -> Finding:
    """Say how much room there is for results or for the cache."""
    folder = find_parent(folder)
    free = shutil.disk_usage(folder).free
    told = f"{what}: {free / 1e9:.1f} GB free in {folder}"
    if free < LEAST_BYTES:
        return fail("disk", told, "free space: `harness clean --shelf` gives back the cached activations")
    if free < LITTLE_BYTES:
        return warn("disk", told, "see what a suite needs: `harness plan SPEC`")
    return praise("disk", told)
