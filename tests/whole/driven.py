"""A suite driven by Ray workers, as a command that tests can kill: `driven.py FOLDER deadly|batches`.

Folds take a moment, and say in FOLDER/starts.txt who began them when. A fold of trial 2 in the arm `deadly` ends its
worker, always. `batches` has no such arm, and its trials go from fold to fold together: its tables are the same
whoever finishes first.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "search"), str(Path(__file__).parent)]

from made import make_plan, make_score, make_study, run_plan  # noqa: E402  # found by the line above

from harness.record.scores import FoldJob, FoldScore  # noqa: E402
from harness.search.cluster import start_cluster  # noqa: E402
from harness.search.ray_pool import RayPool  # noqa: E402
from harness.spec.models import Search  # noqa: E402

FOLD_S = 0.2


def note_and_score(folder: Path, job: FoldJob) -> FoldScore:
    """Say that a fold began, take a moment, and score it."""
    line = json.dumps({"pid": os.getpid(), "at": time.time(), "arm": job.arm, "key": job.key})
    with (folder / "starts.txt").open("a") as file:
        file.write(line + "\n")
    time.sleep(FOLD_S)
    if job.arm == "deadly" and (job.trial, job.fold) == (2, 1):
        os.kill(os.getpid(), signal.SIGKILL)
    return make_score(job)


def open_scorer(folder: Path) -> Callable[[FoldJob], FoldScore]:
    """Return the scorer of a worker."""
    return partial(note_and_score, folder)


DEADLY = make_plan(
    make_study("majority", folds=3),
    make_study("depth", trials=5, folds=3),
    make_study("deadly", trials=5, folds=3, task="news"),
)
BATCHES = make_plan(
    make_study("majority", folds=3),
    make_study("depth", trials=6, folds=3),
    make_study("full", trials=6, folds=3, task="news"),
)
SUITES = {
    "deadly": (DEADLY, Search(trials=5, startup=2, pruner="none")),
    "batches": (BATCHES, Search(trials=6, startup=2, pruner="median", batch=3)),
}


def main(folder: Path, suite: str, workers: int) -> None:
    """Run the suite to its end."""
    plan, search = SUITES[suite]
    pool = RayPool(partial(open_scorer, folder), start_cluster(cpus=workers), workers=workers)
    try:
        outcome, _ = run_plan(folder, plan, search, pool=pool)
    finally:
        pool.close()
    print(outcome.ended)  # noqa: T201  # a command says how it ended


if __name__ == "__main__":
    import driven  # the module by its name: workers import it, while __main__ would travel by value

    driven.main(Path(sys.argv[1]), sys.argv[2], 2)
