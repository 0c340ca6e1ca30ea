"""Disks and folders that a run cannot write to, and processes that are in its way: `disks.py CASE FOLDER`.

Each case prints one JSON line: the exit code, the seconds it took, what was said, and what does not hold after the
fault is mended and the same command has run again.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

from harness.record.files import claim_run  # noqa: E402  # the path above finds it
from tests.whole.faulted import KILLED, begin, find_damage, fork, read_lines, resume, run_whole, wait  # noqa: E402
from tests.whole.made_suite import SUITE, run_suite  # noqa: E402

NOBODY = 65534
STOPS = 5  # how often a process is stopped


def run_timed(folder: Path, before: Callable[[], object] = lambda: None) -> tuple[int, float, str]:
    """Run the suite in a child that does something before, and return how it ended, after how long, and its words."""

    def run() -> int:
        before()
        return run_suite(folder)

    began = time.monotonic()
    code = wait(fork(run, folder.parent / "said.txt"))  # opened before it becomes somebody else
    return code, time.monotonic() - began, (folder.parent / "said.txt").read_text()


def limit_files(size: int) -> Callable[[], object]:
    """Return what keeps every file of a process below a size, as a full disk does."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def fill_limited(folder: Path, size: int) -> tuple[int, float, str]:
    """Run where no file may be larger than `size`."""
    begin(folder, SUITE)
    return run_timed(folder, limit_files(size))


def fill_tmpfs(folder: Path, size: int) -> tuple[int, float, str]:
    """Run on a file system of `size` bytes, and give it room afterwards."""
    begin(folder, SUITE)
    results = folder / "results"
    results.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(results)], check=True)
    try:
        answer = run_timed(folder)
        acknowledged = read_lines(results)
        assert find_damage(results) == []
        subprocess.run(["mount", "-o", "remount,size=64m", str(results)], check=True)
        kept = folder.parent / "kept"
        shutil.copytree(results, kept)
    finally:
        subprocess.run(["umount", str(results)], check=True)
    results.rmdir()
    shutil.move(kept, results)
    assert read_lines(results) == acknowledged
    return answer


def refuse_writing(folder: Path) -> tuple[int, float, str]:
    """Run as somebody who may not write into the results; a test's own folders are closed to others."""
    begin(folder, SUITE)
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        begin(Path(name) / "suite", SUITE)
        (Path(name) / "suite" / "results").mkdir(mode=0o555)
        become = (lambda: os.setuid(NOBODY)) if os.getuid() == 0 else lambda: None
        return run_timed(Path(name) / "suite", become)


def meet_file(folder: Path) -> tuple[int, float, str]:
    """Run where a file has the name of the results."""
    begin(folder, SUITE)
    (folder / "results").write_text("a file")
    answer = run_timed(folder)
    (folder / "results").unlink()
    return answer


def meet_loop(folder: Path) -> tuple[int, float, str]:
    """Run where the results are a link to themselves."""
    begin(folder, SUITE)
    (folder / "results").symlink_to(folder / "results")
    answer = run_timed(folder)
    (folder / "results").unlink()
    return answer


def come_second(folder: Path) -> tuple[int, float, str]:
    """Run while another process has the run, which is killed afterwards."""
    begin(folder, SUITE)

    def hold() -> int:
        with claim_run(folder / "results"):
            (folder / "held").touch()
            signal.pause()
        return 0

    owner = fork(hold, folder.parent / "owner.txt")
    while not (folder / "held").exists():
        time.sleep(0.01)
    code, seconds, said = run_timed(folder)
    os.kill(owner, signal.SIGKILL)
    assert wait(owner) == KILLED
    return code, seconds, said.replace(f"process {owner} ", "process OWNER ")


def stop_and_go(folder: Path) -> tuple[int, float, str]:
    """Stop a run's process again and again, and let it go on."""
    begin(folder, SUITE)
    began = time.monotonic()
    child = fork(lambda: run_suite(folder), folder.parent / "said.txt")
    for _ in range(STOPS):
        time.sleep(0.05)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGSTOP)
            time.sleep(0.1)
            os.kill(child, signal.SIGCONT)
    return wait(child), time.monotonic() - began, (folder.parent / "said.txt").read_text()


CASES: dict[str, Callable[[Path], tuple[int, float, str]]] = {
    "limit 700": lambda folder: fill_limited(folder, 700),
    "limit 3000": lambda folder: fill_limited(folder, 3_000),
    "limit 9000": lambda folder: fill_limited(folder, 9_000),
    "tmpfs 16k": lambda folder: fill_tmpfs(folder, 16 << 10),
    "tmpfs 40k": lambda folder: fill_tmpfs(folder, 40 << 10),
    "tmpfs 64k": lambda folder: fill_tmpfs(folder, 64 << 10),
    "read-only": refuse_writing,
    "a file": meet_file,
    "a loop": meet_loop,
    "second": come_second,
    "stopped": stop_and_go,
}


def main(root: Path, names: list[str]) -> None:
    """Run the cases, each from the start."""
    wanted = run_whole(root / "whole", SUITE)
    for name in names:
        folder = root / name.replace(" ", "-") / "suite"
        code, seconds, said = CASES[name](folder)
        broken = find_damage(folder / "results") + resume(folder, wanted, read_lines(folder / "results"))
        told = {"case": name, "code": code, "seconds": seconds, "said": said, "broken": broken}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
