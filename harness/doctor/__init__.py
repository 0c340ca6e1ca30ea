"""`harness doctor`: whether this machine will carry a run through the night, one finding at a time."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from harness.assets.cache import cache_root
from harness.doctor import cluster, cores, gpu, hub, memory, packages, storage
from harness.doctor.finding import Finding
from harness.machine import PROC, read_machine

__all__ = ["Finding", "examine_machine"]

IMPORT_S = 60.0  # torch takes 5 s on busy cores


def examine_machine(*, results: Path, offline: bool = False, gpus: bool = False) -> Iterator[Finding]:
    """Yield what was found, as it is found; a finding that is `fail` would stop a run.

    `gpus` imports torch, to ask it for what it can use. The network is asked for one header, unless `offline`. In
    `results` a scratch folder is made and removed.
    """
    folders = [Path(place) for place in sys.path if place and Path(place).is_dir()]
    environment, home = dict(os.environ), Path.home()
    installed = packages.list_installed(folders)
    yield packages.check_python(sys.version_info[:3])
    yield from packages.check_versions(installed, packages.list_requirements(folders))
    yield from packages.check_companions(installed, folders, limit_s=IMPORT_S)
    machine = read_machine()
    yield from cores.check_cores(machine, environment)
    yield memory.check_memory(machine)
    yield storage.check_room("results", results)
    yield storage.check_room("cache", cache_root().parent)
    yield from storage.check_results(results, _read(PROC / "mounts"), environment)
    devices = gpu.list_devices(Path("/dev"))
    driver = _read(PROC / "driver" / "nvidia" / "version")
    yield gpu.check_devices(devices, gpu.read_build(folders), driver)
    if gpus:
        yield from gpu.try_devices(devices)
    yield hub.check_cache(environment, home)
    if not offline:
        yield from hub.check_reach(environment)
    yield cluster.check_sockets(Path("/tmp"))
    yield from cluster.check_store(Path("/dev/shm"))
    yield from cluster.check_settings(environment, home)


def _read(path: Path) -> str:
    """Return a file of the system, "" where this one has none."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
