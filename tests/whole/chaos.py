"""A real suite left alone, and the same one killed again and again: `python tests/whole/chaos.py SPEC [--kills N]`.

Whoever kills takes the driver or one of its workers, at moments drawn by `--seed`, and starts the command again where
the driver died. In the end both tables must be equal, timings aside; the command prints what it did, and its exit
code is 1 where they differ. The assets that the spec names must be there.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

from harness.cli.descendants import find_descendants  # noqa: E402  # found by the line above
from harness.record.ledger import LEDGER, read_history  # noqa: E402
from harness.spec.load import load_spec  # noqa: E402
from tests.whole.commands import HARNESS, WORKER, read_table  # noqa: E402


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A spec, and where its runs lie."""

    spec: Path
    name: str
    results: Path

    def start(self, workers: int) -> subprocess.Popen[bytes]:
        """Start the command in a session of its own."""
        line = [sys.executable, "-P", "-c", HARNESS, "run", str(self.spec), "--results", str(self.results)]
        with (self.results.parent / f"{self.results.name}.log").open("ab") as log:
            return subprocess.Popen(
                [*line, "--workers", str(workers), "--offline"],
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def run(self) -> Path:
        """The run's folder."""
        return self.results / self.name

    def count_folds(self) -> int:
        """Return how many folds are acknowledged."""
        ledger = self.run / LEDGER
        return ledger.read_bytes().count(b'"event":"fold"') if ledger.exists() else 0


def is_done(suite: Suite) -> bool:
    """Say whether the suite was run to its end by this very spec."""
    kept = suite.run / "spec.yaml"
    return (suite.run / "table.json").exists() and kept.read_bytes() == suite.spec.read_bytes()


def run_quietly(suite: Suite, workers: int) -> float:
    """Run the suite once to its end, and return its seconds."""
    began = time.monotonic()
    code = suite.start(workers).wait()
    assert code == 0, f"the suite that was left alone ended with exit code {code}: see {suite.results}.log"
    return time.monotonic() - began


def run_killed(suite: Suite, workers: int, *, kills: int, seed: int, every_s: float) -> Counter[str]:
    """Run the suite to its end through kills, and return how many hit whom."""
    draw = random.Random(seed)
    hits = Counter[str]()
    process = suite.start(workers)
    while process.poll() is None:
        moment = time.monotonic() + draw.uniform(0.2, 1.8) * every_s
        while process.poll() is None and time.monotonic() < moment:
            time.sleep(0.1)
        if process.poll() is not None or hits.total() == kills:
            continue
        before = suite.count_folds()
        if draw.random() < 0.5 and (worker := find_worker(process.pid, draw)) is not None:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
            hits["worker"] += 1
        else:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            hits["driver"] += 1
            assert suite.count_folds() >= before, "acknowledged folds were lost"
            process = suite.start(workers)
    hits["exit code"] = process.returncode
    return hits


def find_worker(driver: int, draw: random.Random) -> int | None:
    """Return one of a driver's workers, None where it has none yet."""
    workers = []
    for pid in find_descendants(driver):
        with suppress(OSError):
            if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(WORKER.encode()):
                workers.append(pid)
    return draw.choice(workers) if workers else None


def tell_differences(quiet: dict[str, Any], killed: dict[str, Any]) -> list[str]:
    """Return where two tables differ, in words."""
    cells = zip(quiet["cells"], killed["cells"], strict=True)
    told = [
        f"{first['task']} {first['arm']} {key}: {first[key]!r} is {second[key]!r}"
        for first, second in cells
        for key in first
        if repr(first[key]) != repr(second[key])
    ]
    rest = [key for key in quiet if key != "cells" and repr(quiet[key]) != repr(killed[key])]
    return told + rest


def say(line: str) -> None:
    """Write a line at once: a night is long."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run both suites, print what happened, and say whether the tables are equal."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("spec", type=Path)
    options.add_argument("--out", type=Path, default=Path("chaos"), help="a folder for both runs")
    options.add_argument("--kills", type=int, default=12)
    options.add_argument("--every", type=float, default=60.0, help="mean seconds from kill to kill")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--workers", type=int, default=2)
    given = options.parse_args()
    name = load_spec(given.spec).name
    given.out.mkdir(parents=True, exist_ok=True)
    quiet, killed = (
        Suite(spec=given.spec.resolve(), name=name, results=given.out.resolve() / kind)
        for kind in ("quiet", "killed")
    )
    if not is_done(quiet):  # it may be compared with several runs that are killed
        shutil.rmtree(quiet.results, ignore_errors=True)
        say(f"left alone: {run_quietly(quiet, given.workers):.0f} s")
    shutil.rmtree(killed.results, ignore_errors=True)
    hits = run_killed(killed, given.workers, kills=given.kills, seed=given.seed, every_s=given.every)
    say(f"killed: {hits['driver']} drivers, {hits['worker']} workers; exit code {hits['exit code']}")
    history = read_history(killed.run)
    keys = [fold.key for record in history.trials.values() for fold in record.folds]
    say(f"{len(keys)} folds, {len(keys) - len(set(keys))} of them twice; damage: {history.damage or 'none'}")
    differences = tell_differences(read_table(quiet.run), read_table(killed.run))
    say("\n".join(differences) or "the tables are equal")
    return int(bool(differences) or hits["exit code"] != 0 or len(keys) != len(set(keys)))


if __name__ == "__main__":
    sys.exit(main())
