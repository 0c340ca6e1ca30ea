"""Cores: how many threads this process may run at once, and whether the environment asks for more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.doctor.finding import Finding, praise, warn
from harness.machine import Machine
from harness.search.cluster import THREADS


def check_cores(machine: Machine, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Say how many cores count, and which variables would start more threads than that."""
    usable = machine.usable_cores
    told = [f"{usable} usable of {machine.cores}"]
    if machine.allowed_cores < machine.cores:
        told.append(f"affinity allows {machine.allowed_cores}")
    if machine.quota_cores is not None:
        told.append(f"the cgroup grants the time of {machine.quota_cores:g}")
    yield praise("cores", ", ".join(told) + f": `compute.workers: auto` runs up to {usable} folds at once")
    for name in THREADS:
        asked = environment.get(name, "")
        if asked.isdigit() and int(asked) > usable:
            yield warn(
                "cores",
                f"{name} is {asked}, with {usable} usable: threads that wait for each other are several times slower",
                f"unset {name}; workers set it by `compute.threads`",
            )
