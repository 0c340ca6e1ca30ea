from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.whole, pytest.mark.faults]
ROOT = Path(__file__).parents[2]

PROBE = """
import json, os, sys
from harness.errors import AssetError
from harness.record.scores import FoldJob, FoldScore
from harness.search.cluster import start_cluster
from harness.search.ray_pool import RayPool

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

pool = RayPool(open_scorer, start_cluster(cpus=2), workers=2)
before = pool.idle()
while len(pool.idle()) < 2:
    assert pool.wait(60) == []
said = {"workers": len(pool.idle()), "mode": oct((pool._cluster.folder / "token").stat().st_mode & 0o777)}
said["before"] = before
said["auth"] = os.environ["RAY_AUTH_MODE"]
answers = {}
for folds in ((0, 1), (2,)):
    for fold in folds:
        pool.submit(job(fold, task=f"t{fold % 2}"), None)
    said["idle while busy"] = pool.idle()
    while set(answers) < set(range(folds[-1] + 1)):
        answers |= {job.fold: score for job, score in pool.wait(60)}
said |= {"idle": pool.idle(), "answers": {fold: [s.state, s.error] for fold, s in answers.items()}}
folder = pool._cluster.folder
pool.close()
said["left"] = folder.exists()
broken = RayPool(open_nothing, start_cluster(cpus=1), workers=1)
try:
    broken.wait(60)
except AssetError as fault:
    said["fault"] = str(fault)
broken.close()
said["driver"] = [os.environ.get("HF_TOKEN"), os.environ.get("OMP_NUM_THREADS"), os.getcwd()]
print(json.dumps(said))
"""


def test_ray_workers_see_no_secret_and_keep_their_bench(tmp_path: Path) -> None:
    long = tmp_path / ("a-long-folder-for-temporary-files-" * 3)
    long.mkdir()
    (long / "wave.py").write_text("raise SystemExit('imported from the working directory')")
    (long / "probe.py").write_text(PROBE)
    environment = {
        **os.environ, "HF_TOKEN": "canary", "MY_API_KEY": "canary", "RAY_ADDRESS": "192.0.2.1:1",
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
    assert said["before"] == []  # a worker that is being started takes no fold
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
    assert said["driver"] == ["canary", "7", str(long)]
    assert ran.stderr == ""


TROUBLE = """
import json, os, signal, sys, time
from harness.record.scores import FoldJob, FoldScore
from harness.search.cluster import start_cluster
from harness.search.ray_pool import RayPool

def job(fold):
    return FoldJob(study="s", task="t", backbone="b", arm="a", kind="baseline", trial=0, repeat=0, fold=fold,
                   candidate=None)

def open_scorer():
    def score(job):
        if job.fold == 1:
            time.sleep(600)
        if job.fold == 2:
            os.kill(os.getpid(), signal.SIGSTOP)
        if job.fold == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return FoldScore(study="s", trial=0, repeat=0, fold=job.fold, state="ok", error=str(os.getpid()))
    return score

def ask(folds, limit_s):
    answers = {}
    waiting = list(folds)
    began = time.monotonic()
    while len(answers) < len(folds):
        while waiting and pool.idle():
            pool.submit(job(waiting.pop()), limit_s)
        answers |= {job.fold: [score.state, score.error] for job, score in pool.wait(1)}
    return answers | {"took": time.monotonic() - began}

pool = RayPool(open_scorer, start_cluster(cpus=2), workers=2)
while len(pool.idle()) < 2:
    pool.wait(60)
said = {"pids": [worker.place.pid for worker in pool._workers]}
said["late"] = ask([1, 2], 1.0)
while len(pool.idle()) < 2:
    pool.wait(60)
said["alive"] = [pid for pid in said["pids"] if os.path.exists(f"/proc/{pid}")]
said["fresh"] = [worker.place.pid for worker in pool._workers]
said["deadly"] = ask([3], None)
while len(pool.idle()) < 2:
    pool.wait(60)
for worker in pool._workers:  # they die while nobody looks
    os.kill(worker.place.pid, signal.SIGKILL)
time.sleep(1)
said["well"] = ask([4, 5], 30.0)
pool.close()
print(json.dumps(said))
"""


def test_what_hangs_or_dies_is_replaced_and_the_others_fit_on(tmp_path: Path) -> None:
    (tmp_path / "trouble.py").write_text(TROUBLE)
    ran = subprocess.run(
        [sys.executable, "-P", "trouble.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    late = ["timeout", "no answer within 1 s: its worker was replaced"]
    assert (said["late"]["1"], said["late"]["2"]) == (late, late)
    assert said["late"]["took"] < 10
    assert said["alive"] == []
    assert not set(said["fresh"]) & set(said["pids"])
    state, error = said["deadly"]["3"]
    assert state == "error"
    assert error.startswith("RuntimeError: its worker died 2 times, 0.")
    assert "GB resident at last sight: " in error
    assert [said["well"][fold][0] for fold in ("4", "5")] == ["ok", "ok"]
