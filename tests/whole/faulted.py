"""The faults of a night, many in seconds: forks a warmed process for each, and says what became of it.

`faulted.py kills FOLDER SEEDS` kills the made-up suite at random moments until it is complete; `faulted.py calls
FOLDER WAY FIRST STEP` lets every call that changes a file fail in turn. Each prints one JSON line a case, with what
does not hold; nothing in `broken` means that all did.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

import pyarrow.parquet as pq  # noqa: E402  # the path above finds what follows

from harness.record import lines  # noqa: E402
from harness.record.ledger import LEDGER, read_history  # noqa: E402
from harness.record.predictions import read_predictions  # noqa: E402
from tests.whole.interposed import CALLS, Interposed, Way  # noqa: E402
from tests.whole.made_suite import LONGER, SUITE, read_suite, run_suite  # noqa: E402

TABLES = (
    "folds.parquet",
    "trials.parquet",
    "table.json",
    "table.md",
    "table.csv",
    "table.tex",
    "report.html",
)
STRUCK = {  # what each way is tried on
    "kill": {*CALLS, "write", "open"},
    "half": {"write"},
    "full": {"write", "pwrite", "open", "mkdir"},
    "broken": {"fsync", "replace", "rename", "ftruncate", "unlink"},
}
KILLED = -signal.SIGKILL


def fork(action: Callable[[], int], said: Path) -> int:
    """Start a child that does `action` and ends with its code; what it says goes to a file."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 2)
        code = action()
    except BaseException:  # noqa: BLE001  # a child must not go on as its parent
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def wait(child: int) -> int:
    """Return how a child ended: its exit code, or minus its signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def begin(folder: Path, text: str) -> None:
    """Make a fresh folder with a suite that has not run."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    read_suite(folder, text)


def read_lines(run: Path) -> list[bytes]:
    """Return the whole lines of a ledger: what was acknowledged, or is about to be."""
    with suppress(FileNotFoundError):
        return (run / LEDGER).read_bytes().split(b"\n")[:-1]
    return []


def find_damage(run: Path) -> list[str]:
    """Return what is not whole under its final name; a torn tail of a journal or of the ledger is no damage."""
    broken = [
        f"line {n} does not verify" for n, line in enumerate(read_lines(run)) if not lines.decode_line(line)
    ]
    readers: dict[str, Callable[[Path], object]] = {
        "*.json": lambda path: json.loads(path.read_bytes()),
        "*.parquet": pq.read_table,
        "spec.yaml": lambda path: json.loads(path.read_bytes()),
        "report.html": lambda path: path.read_bytes().rindex(b"</html>"),
        "studies/*.journal": lambda path: [json.loads(row) for row in path.read_bytes().split(b"\n")[:-1]],
    }
    for pattern, read in readers.items():
        for path in run.glob(pattern):
            try:
                read(path)
            except Exception as error:  # noqa: BLE001  # whatever a reader says, the file is not whole
                broken.append(f"{path.name}: {error!r}")
    if (run / LEDGER).exists():
        for record in read_history(run).trials.values():
            for fold in record.folds:
                read_predictions(run, fold.key, fold.predictions_sha256)
    return broken


def describe(run: Path) -> dict[str, str]:
    """Return the hash of every table, and the names of all files: what two runs must have in common."""
    tables = {name: hashlib.sha256((run / name).read_bytes()).hexdigest() for name in TABLES}
    tables["report.html"] = "there"  # it says when it was made
    names = sorted(path.relative_to(run).as_posix() for path in run.rglob("*"))
    return tables | {"names": " ".join(names)}


def count_folds(run: Path) -> dict[str, int]:
    """Return what counts twice: keys of folds with how many lines they have."""
    keys: dict[str, int] = {}
    for line in read_lines(run):
        row = json.loads(line)
        if row["event"] == "fold":
            key = f"{row['study']} {row['trial']} {row['repeat']} {row['fold']}"
            keys[key] = keys.get(key, 0) + 1
    return {key: count for key, count in keys.items() if count > 1}


def resume(folder: Path, wanted: dict[str, str], before: list[bytes]) -> list[str]:
    """Run the same command to its end and return what does not hold afterwards."""
    run, said = folder / "results", folder / "said.txt"
    code = wait(fork(lambda: run_suite(folder), said))
    if code:
        return [f"resumed with {code}: {said.read_text()[-2000:]}"]
    found = describe(run)
    broken = [f"{name} differs: {found[name]}" for name in wanted if found[name] != wanted[name]]
    if read_lines(run)[: len(before)] != before:
        broken.append("acknowledged lines were lost or changed")
    if twice := count_folds(run):
        broken.append(f"counted twice: {twice}")
    return broken


def run_whole(folder: Path, text: str) -> dict[str, str]:
    """Run a suite without a fault and return what every other must come to.

    The first time is in this process: what is imported and compiled on the way need not be in each child.
    """
    begin(folder, text)
    run_suite(folder)
    begin(folder, text)
    code = wait(fork(lambda: run_suite(folder), folder / "said.txt"))
    assert code == 0, (folder / "said.txt").read_text()
    return describe(folder / "results")


def kill_at_random(
    root: Path, seed: int, wanted: dict[str, str], calls: int, whole_s: float
) -> dict[str, object]:
    """Kill a run at three random moments, resume it each time, and say what does not hold.

    Moments are seconds for every other seed, and for the others the number of a call that changes files.
    """
    draw, folder = random.Random(seed), root / f"kill{seed}"
    begin(folder, LONGER)
    broken: list[str] = []
    kills = 0
    acknowledged: list[bytes] = []
    for life in range(3):
        at = draw.randrange(calls // (life + 1))
        child = fork(_run_until(folder, at if seed % 2 else -1), folder / "said.txt")
        if seed % 2 == 0:
            time.sleep(draw.uniform(0, whole_s / (life + 1)))
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        kills += wait(child) == KILLED
        broken += find_damage(folder / "results")
        found = read_lines(folder / "results")
        if found[: len(acknowledged)] != acknowledged:
            broken.append("acknowledged lines were lost or changed")
        acknowledged = found
    broken += resume(folder, wanted, acknowledged)
    shutil.rmtree(folder)
    return {"seed": seed, "kills": kills, "acknowledged": len(acknowledged), "broken": broken}


def _run_until(folder: Path, at: int) -> Callable[[], int]:
    def run() -> int:
        if at >= 0:
            Interposed(at=at, way="kill").install()
        return run_suite(folder)

    return run


def fail_at(root: Path, at: int, way: Way, wanted: dict[str, str], calls: list[str]) -> dict[str, object]:
    """Let one call fail, then run the same command again, and say what does not hold."""
    folder = root / f"{way}{at}"
    begin(folder, SUITE)

    def run() -> int:
        Interposed(at=at, way=way).install()
        return run_suite(folder)

    code, said = wait(fork(run, folder / "said.txt")), (folder / "said.txt").read_text()
    broken = find_damage(folder / "results")
    expected = {KILLED} if way in ("kill", "half") else {4}
    if calls[at] == "mkdir":  # a folder that is there already is all that was wanted
        expected |= {0}
    if code not in expected:
        broken.append(f"ended with {code}: {said[-2000:]}")
    if code == 4 and "Everything recorded before is safe" not in said:
        broken.append(f"does not say what is safe: {said}")
    broken += resume(folder, wanted, read_lines(folder / "results"))
    shutil.rmtree(folder)
    return {"at": at, "call": calls[at], "code": code, "broken": broken}


def list_calls(root: Path, text: str) -> list[str]:
    """Return the calls that change files in a whole run, in their order."""
    folder = root / "count"
    begin(folder, text)

    def run() -> int:
        watched = Interposed()
        watched.install()
        code = run_suite(folder)
        Path(folder / "calls.txt").write_text("\n".join(watched.calls))
        return code

    assert wait(fork(run, folder / "said.txt")) == 0, (folder / "said.txt").read_text()
    return (folder / "calls.txt").read_text().split("\n")


def say(case: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(case) + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> None:
    """Run what the command line asks for."""
    root = Path(arguments[1])
    if arguments[0] == "kills":
        wanted = run_whole(root / "whole", LONGER)
        began = time.monotonic()
        calls = list_calls(root, LONGER)
        whole_s = time.monotonic() - began
        for seed in range(int(arguments[2]), int(arguments[3])):
            say(kill_at_random(root, seed, wanted, len(calls), whole_s))
        return
    way: Way = arguments[2]  # type: ignore[assignment]  # one of them
    wanted, calls = run_whole(root / "whole", SUITE), list_calls(root, SUITE)
    for at in range(int(arguments[3]), len(calls), int(arguments[4])):
        if calls[at] not in STRUCK[way]:
            continue
        say(fail_at(root, at, way, wanted, calls))


if __name__ == "__main__":
    main(sys.argv[1:])
