"""Machine: the cores and the memory that this process may use, whatever the hardware has."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
UNLIMITED_BYTES = 2**60  # cgroup v1 says "no limit" by a number near 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What there is of cores and memory, and what a container or a batch system leaves of it; None: no such limit."""

    cores: int  # of the hardware
    allowed_cores: int  # that this process may run on: its affinity
    quota_cores: float | None  # the share of time that its cgroup grants, in cores
    memory_bytes: int
    available_bytes: int  # without pushing others out
    limit_bytes: int | None  # of its cgroup
    limited_use_bytes: int = 0  # what is used of that limit already

    @property
    def usable_cores(self) -> int:
        """How many threads run at once without waiting for each other."""
        quota = math.inf if self.quota_cores is None else math.ceil(self.quota_cores)
        return max(1, min(self.allowed_cores, int(min(quota, self.allowed_cores))))

    @property
    def whole_bytes(self) -> int:
        """How much memory one process could have if it were alone."""
        return self.memory_bytes if self.limit_bytes is None else min(self.memory_bytes, self.limit_bytes)

    @property
    def free_bytes(self) -> int:
        """How much memory further processes can take before one is killed."""
        if self.limit_bytes is None:
            return self.available_bytes
        return max(0, min(self.available_bytes, self.limit_bytes - self.limited_use_bytes))


def read_machine(proc: Path = PROC, cgroups: Path = CGROUPS) -> Machine:
    """Return what this process may use; both kinds of cgroup are understood, and the strictest parent counts."""
    memory = _read_meminfo(proc / "meminfo")
    quotas = [quota for folder in _list_groups(proc, cgroups, "cpu") if (quota := _read_quota(folder))]
    limits = [
        (limit, _read_use(folder))
        for folder in _list_groups(proc, cgroups, "memory")
        if (limit := _read_limit(folder)) is not None
    ]
    tightest = min(limits, key=lambda pair: pair[0] - pair[1], default=None)
    cores = os.cpu_count() or 1
    return Machine(
        cores=cores,
        allowed_cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores,
        quota_cores=min(quotas, default=None),
        memory_bytes=memory.get("MemTotal", _count_memory()),
        available_bytes=memory.get("MemAvailable", _count_memory()),
        limit_bytes=None if tightest is None else tightest[0],
        limited_use_bytes=0 if tightest is None else tightest[1],
    )


def _read_meminfo(path: Path) -> dict[str, int]:
    """Return the bytes of each line of /proc/meminfo, nothing where the system has no such file."""
    lines = [line.split() for line in _read(path).splitlines()]
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if len(words) == 3}


def _count_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _list_groups(proc: Path, cgroups: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of this process's cgroup and of its parents, as far as they can be seen from here."""
    for line in _read(proc / "self" / "cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        if number != "0" and controller not in controllers.split(","):
            continue
        root = cgroups if number == "0" else cgroups / controller
        folder = root / path.lstrip("/")
        # A container sees its own group as the root, whatever its path is called outside.
        yield from (each for each in (folder, *folder.parents) if each.is_relative_to(root))


def _read_quota(folder: Path) -> float | None:
    """Return the cores that a cgroup's time is worth, of version 2 or 1; None where it is not limited."""
    quota, period = (_read(folder / "cpu.max").split() or ["max", "100000"])[:2]
    if quota == "max":
        quota = _read(folder / "cpu.cfs_quota_us").strip() or "-1"
        period = _read(folder / "cpu.cfs_period_us").strip() or "100000"
    return int(quota) / int(period) if int(quota) > 0 else None


def _read_limit(folder: Path) -> int | None:
    for name in ("memory.max", "memory.limit_in_bytes"):
        text = _read(folder / name).strip()
        if text.isdigit() and int(text) < UNLIMITED_BYTES:
            return int(text)
    return None


def _read_use(folder: Path) -> int:
    """Return what a cgroup uses, without the pages of files that go before anything is killed."""
    pages = [line.split() for line in _read(folder / "memory.stat").splitlines()]
    inactive = max((int(size) for name, size in pages if name.endswith("inactive_file")), default=0)
    for name in ("memory.current", "memory.usage_in_bytes"):
        text = _read(folder / name).strip()
        if text.isdigit():
            return max(0, int(text) - inactive)
    return 0


def _read(path: Path) -> str:
    """Return a file of the system; "" where this system does not have it, or does not show it."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def name_processor(proc: Path = PROC) -> str:
    """Return what kind of processor this is, and how many of its cores count: what a timing holds for."""
    models = [
        line.partition(":")[2].strip()
        for line in _read(proc / "cpuinfo").splitlines()
        if "model name" in line
    ]
    return f"{next(iter(models), platform.machine())} x {read_machine().usable_cores}"
