from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import DataError
from harness.record.scores import FoldJob, FoldScore
from harness.search.pool import LocalPool

ROOT = Path(__file__).parents[2]
JOB = FoldJob(
    study="s", task="t", backbone="b", arm="a", kind="baseline", trial=0, repeat=0, fold=1, candidate=None
)

PROBE = """
import json, os, sys
from harness.errors import AssetError
from harness.record.scores import FoldJob, FoldScore
from harness.search.pool import RayPool

def job(fold, task="t"):
    return FoldJob(study="s", task=task, backbone="b", arm="a", kind="baseline", trial=0, repeat=0, fold=fold,
                   candidate=None)

def open_scorer():
    import wave  # a module of this name lies in the working directory
    def score(job):
        if job.fold == 2:
            raise ValueError("no such thing")
        names = ("HF_TOKEN", "MY_API_KEY", "RAY_ADDRESS", "OMP_NUM_THREADS", "HOME", "HF_HUB_OFFLINE")
        said = {name: os.environ.get(name) for name in names}
        said |= {"pid": os.getpid(), "cwd": os.getcwd(), "wave": wave.__file__}
        return FoldScore(study="s", trial=0, repeat=0, fold=job.fold, state="ok", error=json.dumps(said))
    return score

def open_nothing():
    raise AssetError("minilm is not here")

pool = RayPool(open_scorer, workers=2, threads=1)
said = {"workers": len(pool.idle()), "mode": oct((pool._cluster.folder / "token").stat().st_mode & 0o777)}
said["auth"] = os.environ["RAY_AUTH_MODE"]
answers = {}
for folds in ((0, 1), (2,)):
    for fold in folds:
        pool.submit(job(fold, task=f"t{fold % 2}"))
    said["idle while busy"] = pool.idle()
    while set(answers) < set(range(folds[-1] + 1)):
        answers |= {job.fold: score for job, score in pool.wait(60)}
said |= {"idle": pool.idle(), "answers": {fold: [s.state, s.error] for fold, s in answers.items()}}
folder = pool._cluster.folder
pool.close()
said["left"] = folder.exists()
broken = RayPool(open_nothing, workers=1)
broken.submit(job(0))
try:
    broken.wait(60)
except AssetError as fault:
    said["fault"] = str(fault)
broken.close()
said["driver"] = [os.environ.get(name) for name in ("HF_TOKEN", "OMP_NUM_THREADS", "HF_HUB_OFFLINE")] + [os.getcwd()]
print(json.dumps(said))
"""


def test_a_fault_that_the_scorer_did_not_catch_is_the_folds_and_not_the_pools() -> None:
    def score(job: FoldJob) -> FoldScore:
        raise KeyError("row 7:\nis bad\nvery\nbad")

    pool = LocalPool(lambda: score)
    pool.submit(JOB)
    assert pool.idle() == ()
    ((job, answer),) = pool.wait(1.0)
    assert (job, answer.key, answer.state) == (JOB, JOB.key, "error")
    assert answer.error is not None
    assert answer.error.startswith("KeyError: 'row 7:")
    assert pool.idle() == (("t", "b"),)
    assert pool.wait(1.0) == []
    pool.close()


def test_what_a_person_must_mend_ends_the_run() -> None:
    def score(job: FoldJob) -> FoldScore:
        raise DataError("row 7 is bad")

    pool = LocalPool(lambda: score)
    pool.submit(JOB)
    with pytest.raises(DataError, match="row 7 is bad"):
        pool.wait(1.0)


def test_the_local_pool_does_not_load_ray() -> None:
    code = "import sys, harness.search.pool, harness.search.drive; print({'ray', 'optuna', 'torch'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout == "set()\n"


def test_a_score_for_another_fold_is_a_bug_of_ours() -> None:
    pool = LocalPool(lambda: lambda job: FoldScore(study="s", trial=0, repeat=0, fold=9, state="ok"))
    pool.submit(JOB)
    with pytest.raises(AssertionError, match="was answered"):
        pool.wait(1.0)


@pytest.mark.whole
def test_ray_workers_see_no_secret_and_keep_their_bench(tmp_path: Path) -> None:
    long = tmp_path / ("a-long-folder-for-temporary-files-" * 3)
    long.mkdir()
    (long / "wave.py").write_text("raise SystemExit('imported from the working directory')")
    (long / "probe.py").write_text(PROBE)
    inherited = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    environment = {
        **inherited, "HF_TOKEN": "canary", "MY_API_KEY": "canary", "RAY_ADDRESS": "192.0.2.1:1",
        "OMP_NUM_THREADS": "7", "TMPDIR": str(long), "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    # -P keeps the script's own folder off the path, as it is for the installed command.
    ran = subprocess.run(
        [sys.executable, "-P", "probe.py"],
        cwd=long,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert (said["workers"], said["mode"], said["auth"], said["left"]) == (2, "0o600", "token", False)
    assert said["answers"]["2"] == ["error", "ValueError: no such thing"]
    workers = [json.loads(said["answers"][fold][1]) for fold in ("0", "1")]
    for worker in workers:
        assert worker["HF_TOKEN"] is worker["MY_API_KEY"] is worker["RAY_ADDRESS"] is None
        assert worker["OMP_NUM_THREADS"] == worker["HF_HUB_OFFLINE"] == "1"
        assert worker["HOME"] == os.environ.get("HOME")
        assert worker["cwd"] == str(long)
        assert not worker["wave"].startswith(str(tmp_path))
    assert workers[0]["pid"] != workers[1]["pid"]
    assert sorted(said["idle"]) == [["t0", "b"], ["t1", "b"]]
    assert said["fault"] == "minilm is not here"
    assert said["driver"] == ["canary", "7", None, str(long)]
    assert ran.stderr == ""
