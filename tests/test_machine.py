"""What of a machine a process may use, read from the files that the system shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.machine import Machine, read_machine

GB = 10**9


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    write(
        tmp_path / "proc" / "meminfo", "MemTotal:  32000000 kB\nMemAvailable:  20000000 kB\nHugePages:  0\n"
    )
    write(tmp_path / "proc" / "self" / "cgroup", "0::/job/step\n")
    return tmp_path / "proc"


def test_a_machine_without_limits_gives_what_it_has(proc: Path, tmp_path: Path) -> None:
    machine = read_machine(proc, tmp_path / "cgroup")
    assert machine.memory_bytes == 32_000_000 * 1024
    assert machine.free_bytes == 20_000_000 * 1024
    assert machine.quota_cores is None
    assert machine.usable_cores == machine.allowed_cores


def test_the_strictest_parent_of_a_cgroup_counts(proc: Path, tmp_path: Path) -> None:
    groups = tmp_path / "cgroup"
    write(groups / "job" / "cpu.max", "50000 100000\n")
    write(groups / "job" / "step" / "cpu.max", "max 100000\n")
    write(groups / "job" / "step" / "memory.max", "max\n")
    write(groups / "job" / "memory.max", f"{4 * GB}\n")
    write(groups / "job" / "memory.current", f"{3 * GB}\n")
    write(groups / "job" / "memory.stat", f"anon 5\ninactive_file {2 * GB}\n")
    machine = read_machine(proc, groups)
    assert (machine.quota_cores, machine.usable_cores) == (0.5, 1)
    assert (machine.limit_bytes, machine.limited_use_bytes) == (4 * GB, GB)
    assert machine.free_bytes == 3 * GB


def test_a_container_whose_path_is_hidden_has_the_limits_of_the_root_that_it_sees(
    proc: Path, tmp_path: Path
) -> None:
    write(tmp_path / "cgroup" / "memory.max", f"{2 * GB}")
    assert read_machine(proc, tmp_path / "cgroup").limit_bytes == 2 * GB


def test_the_older_cgroups_are_understood(proc: Path, tmp_path: Path) -> None:
    write(proc / "self" / "cgroup", "4:memory:/slurm\n3:cpu,cpuacct:/slurm\n1:name=systemd:/\n")
    write(tmp_path / "cgroup" / "cpu" / "slurm" / "cpu.cfs_quota_us", "150000")
    write(tmp_path / "cgroup" / "cpu" / "slurm" / "cpu.cfs_period_us", "100000")
    write(tmp_path / "cgroup" / "memory" / "slurm" / "memory.limit_in_bytes", f"{2 * GB}")
    write(tmp_path / "cgroup" / "memory" / "memory.limit_in_bytes", "9223372036854771712")  # none
    machine = read_machine(proc, tmp_path / "cgroup")
    assert (machine.quota_cores, machine.limit_bytes) == (1.5, 2 * GB)


def test_half_a_core_more_is_a_thread_more() -> None:
    machine = Machine(
        cores=64, allowed_cores=8, quota_cores=2.5, memory_bytes=1, available_bytes=1, limit_bytes=None
    )
    assert machine.usable_cores == 3


def test_this_machine_can_be_read() -> None:
    machine = read_machine()
    assert 1 <= machine.usable_cores <= machine.cores
    assert 0 < machine.free_bytes <= machine.memory_bytes
