"""Files that are whole or absent, in a run folder that has one owner."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import StorageError

CLAIM = "run.lock"
GLANCES = 4  # at a claim that is held: `find_owner` of another process holds it for a moment
GLANCE_S = 0.05
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM}
MISPLACED = {errno.ENOTDIR, errno.EEXIST, errno.ELOOP, errno.EISDIR, errno.ENAMETOOLONG}


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The process that works on a run, as it signed its claim."""

    pid: int | None = None  # None: it has not signed yet
    host: str = ""
    since: str = ""  # UTC, ISO 8601; empty where an older version signed

    def __str__(self) -> str:
        return "another process" if self.pid is None else f"process {self.pid} on host {self.host}"


@contextmanager
def storage_faults(path: Path) -> Iterator[None]:
    """Turn what the operating system says about `path` into a StorageError that names the remedy."""
    try:
        yield
    except OSError as fault:
        raise StorageError(f"{path}: {fault.strerror or fault}. {_remedy(fault)}") from fault


def is_full(fault: StorageError) -> bool:
    """Say whether it was the disk, not a limit on the size of files, that had no more room."""
    return isinstance(fault.__cause__, OSError) and fault.__cause__.errno in (errno.ENOSPC, errno.EDQUOT)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents; one that exists is left as it is."""
    with storage_faults(folder):
        folder.mkdir(parents=True, exist_ok=True)


def find_parent(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that exists already."""
    folder = folder.absolute()
    return next(each for each in (folder, *folder.parents) if each.is_dir())


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that after a crash at any moment its name holds all of `data`, or what it held."""
    # A process id in the name: two processes that share a cache never write one temporary file.
    temporary = path.parent / f".{path.name}.{os.getpid()}.tmp"
    with storage_faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a rename survives a crash only after this."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def refuse_strays(folder: Path) -> None:
    """Raise StorageError where a run folder holds a link that leads out of it, or what is neither file nor folder.

    A run may be somebody else's: its ledger could be a link to a file that we would then cut, its predictions a pipe
    that never ends. The folder itself may be a link, as its owner likes.
    """
    home = os.path.realpath(folder)
    with storage_faults(folder):
        strays = list(_find_strays(folder, home))
    if strays:
        more = f", and {len(strays) - 1} more like it" if len(strays) > 1 else ""
        raise StorageError(
            f"{strays[0]}{more}. Nothing was read or written. Put the file itself there, or do not use this folder."
        )


def _find_strays(folder: Path, home: str) -> Iterator[str]:
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                target = os.path.realpath(entry.path)
                if os.path.commonpath([target, home]) != home:
                    yield f"{entry.path}: is a link that leads out of the run's folder, to {target}"
            elif entry.is_dir():
                yield from _find_strays(Path(entry.path), home)
            elif not entry.is_file():
                yield f"{entry.path}: is a {_name_kind(entry.stat(follow_symlinks=False).st_mode)}, not a file"


def _name_kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "pipe"
    return "socket" if stat.S_ISSOCK(mode) else "device"


@contextmanager
def claim_run(folder: Path) -> Iterator[Owner]:
    """Own a run folder while the context lasts, as the process that works on it.

    Raises `StorageError` at once where another process owns it.
    """
    owner = _name_owner()
    with _claim(folder) as descriptor:
        with storage_faults(folder / CLAIM):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, _sign(owner), 0)
        yield owner


@contextmanager
def hold_run(folder: Path) -> Iterator[None]:
    """Own a run folder while the context lasts, and leave it as last worked on by whoever did.

    Raises `StorageError` at once where another process owns it.
    """
    with _claim(folder) as descriptor:
        end = len(_split_owners(os.pread(descriptor, 4096, 0))[0])
        with storage_faults(folder / CLAIM):
            os.ftruncate(descriptor, end)  # a holder that was killed may have signed behind it
            os.pwrite(descriptor, b"\n" + _sign(_name_owner()), end)
        try:
            yield
        finally:
            with storage_faults(folder / CLAIM):
                os.ftruncate(descriptor, end)


@contextmanager
def _claim(folder: Path) -> Iterator[int]:
    descriptor = _open_claim(folder)
    try:
        with storage_faults(folder):
            _sweep(folder)
        yield descriptor
    finally:
        os.close(descriptor)


def _open_claim(folder: Path) -> int:
    """Return the claim of a run, open and locked: the one that lies in its folder now."""
    path = folder / CLAIM
    while True:
        make_folder(folder)
        refuse_strays(folder)
        with storage_faults(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                _lock(descriptor, folder)
                if _lies_at(descriptor, path):
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
        os.close(descriptor)  # its owner removed the run while we waited


def _lies_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def find_owner(folder: Path) -> Owner | None:
    """Return who works on a run at this moment, None where nobody does; the claim says so, not its signature."""
    path = folder / CLAIM
    if not path.exists():
        return None
    with storage_faults(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_owner(_split_owners(os.pread(descriptor, 4096, 0))[-1])
    finally:
        os.close(descriptor)
    return None


def read_last_owner(folder: Path) -> Owner | None:
    """Return who worked on a run last, as its claim is signed, whether or not it works still; None where nobody did."""
    path = folder / CLAIM
    if not path.exists():
        return None
    with storage_faults(path):
        worker, *_ = _split_owners(path.read_bytes())
    return _read_owner(worker) if worker else None


def _lock(descriptor: int, folder: Path) -> None:
    for glance in range(GLANCES):
        try:
            # flock dies with the process: kill -9 must not leave the run claimed.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if glance + 1 < GLANCES:
                time.sleep(GLANCE_S)
        else:
            return
    raise refuse_claimed(folder, _read_owner(_split_owners(os.pread(descriptor, 4096, 0))[-1]))


def refuse_claimed(folder: Path, owner: Owner) -> StorageError:
    """Return the error of a run that another process works on."""
    return StorageError(
        f"{folder}: {owner} is working on this run. Wait until it has finished, or stop it; "
        f"what it has recorded is kept, and the same command then goes on from there."
    )


def _read_owner(signed: bytes) -> Owner:
    try:
        known = json.loads(signed)
        return Owner(pid=int(known["pid"]), host=str(known["host"]), since=str(known.get("since", "")))
    except (ValueError, LookupError, TypeError, AttributeError):  # it has claimed but not yet signed
        return Owner()


def _split_owners(signed: bytes) -> list[bytes]:
    """Return the lines of a claim: who worked on the run last, and who holds it now without working on it."""
    return signed.splitlines() or [b""]


def _name_owner() -> Owner:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return Owner(pid=os.getpid(), host=socket.gethostname(), since=since)


def _sign(owner: Owner) -> bytes:
    return json.dumps(asdict(owner)).encode()


def _sweep(folder: Path) -> None:
    """Remove what a killed owner was writing; nobody else writes here while the claim is held."""
    for left in (*folder.glob(".*.tmp"), *folder.glob("*/.*.tmp")):
        left.unlink(missing_ok=True)


def _remedy(fault: OSError) -> str:
    safe = "Everything recorded before is safe"
    if fault.errno in FULL:
        return f"{safe}. Free space, or raise the limit on file sizes, and run the same command again."
    if fault.errno in CLOSED:
        return f"{safe}. Make the folder writable for this user, or choose another results folder."
    if fault.errno in MISPLACED:
        return "A folder is needed there. Move what is in the way, or choose another results folder."
    return f"{safe}. Mend the storage and run the same command again."
