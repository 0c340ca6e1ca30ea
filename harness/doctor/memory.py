"""Memory: how much further processes can take before the system kills one."""

from __future__ import annotations

from harness.doctor.finding import Finding, praise, warn
from harness.machine import Machine

GIB = 2**30
LEAST_BYTES = 2 * GIB  # a worker's torch and transformers take 0.3 GB before the first model is loaded


def check_memory(machine: Machine) -> Finding:
    """Say how much memory further processes can take, by the cgroup's limit where there is one."""
    limit = "" if machine.limit_bytes is None else f", the cgroup's limit is {_show(machine.limit_bytes)}"
    told = f"{_show(machine.free_bytes)} free of {_show(machine.memory_bytes)}{limit}"
    if machine.free_bytes < LEAST_BYTES:
        return warn(
            "memory",
            f"{told}: a worker takes 0.3 GiB before its model, and what does not fit is killed",
            "end other processes, raise the limit, or run with --workers 1",
        )
    return praise("memory", told)


def _show(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
