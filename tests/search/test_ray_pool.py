from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.whole
ROOT = Path(__file__).parents[2]

PROBE = """
import json, os, sys
from harness.errors import AssetError, StorageError
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
        if job.fold == 3:
            raise StorageError("the node's cache is full")
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
for folds in ((0, 1), (2, 3)):
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
    assert said["answers"]["3"] == ["error", "the node's cache is full"]
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
    said = run_probe(tmp_path, TROUBLE, 180)
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


STARTING = """
import json, os, time
from pathlib import Path
from harness.search.cluster import start_cluster
from harness.search.ray_pool import RayPool

def open_scorer():
    with open("opened", "a") as opened:
        opened.write(f"{os.getpid()}\\n")
    count = lambda: len(Path("opened").read_text().splitlines())
    if count() == 1:
        raise OSError("the first one fails")
    patience = time.monotonic() + 60
    while count() < 4 and time.monotonic() < patience:  # until the one in its place is there
        time.sleep(0.1)
    time.sleep(1)
    return print

pool = RayPool(open_scorer, start_cluster(cpus=3), workers=3)
while len(pool.idle()) < 3:
    pool.wait(1)
pool.close()
print(json.dumps({"opened": len(Path("opened").read_text().splitlines())}))
"""


def test_a_worker_that_fails_to_start_is_replaced_and_those_that_are_starting_are_left_alone(
    tmp_path: Path,
) -> None:
    assert run_probe(tmp_path, STARTING)["opened"] == 4


ALONE = """
import json, os, signal, time
from pathlib import Path
from harness.record.scores import FoldJob, FoldScore
from harness.search.cluster import start_cluster
from harness.search.ray_pool import RayPool

job = FoldJob(study="s", task="t", backbone="b", arm="a", kind="baseline", trial=0, repeat=0, fold=0, candidate=None)

def open_scorer():
    while Path("died").exists():  # nobody comes in the place of the one that died
        time.sleep(0.1)
    def score(job):
        Path("died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return score

pool = RayPool(open_scorer, start_cluster(cpus=1), workers=1)
while not pool.idle():
    pool.wait(1)
began, answers = time.monotonic(), []
pool.submit(job, 8.0)
while not answers and time.monotonic() < began + 25:
    answers = pool.wait(30)
pool.close()
print(json.dumps({"took": time.monotonic() - began, "answers": [[score.state, score.error] for _, score in answers]}))
"""


def test_a_fold_that_lost_its_worker_is_given_up_at_its_time_though_nobody_is_there(tmp_path: Path) -> None:
    said = run_probe(tmp_path, ALONE)
    assert said["answers"] == [["timeout", "no answer within 8 s: its worker was replaced"]]
    assert 8 <= said["took"] < 20


SPOT = """
import json, os, time
from pathlib import Path
from ray.cluster_utils import Cluster as Nodes
from harness.record.scores import FoldJob, FoldScore
from harness.search.cluster import connect_cluster
from harness.search.ray_pool import RayPool

job = FoldJob(study="s", task="t", backbone="b", arm="a", kind="baseline", trial=0, repeat=0, fold=0, candidate=None)
here = os.getcwd()

def open_scorer():
    def score(job):
        with open(f"{here}/begun", "a") as begun:
            begun.write("x")
        while not Path(here, "stays").exists():
            time.sleep(0.1)
        return FoldScore(study="s", trial=0, repeat=0, fold=0, state="ok")
    return score

def wait_for(reached):
    while not reached() and not answers:
        answers.extend(pool.wait(1))

answers = []
nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
spot = nodes.add_node(num_cpus=1)
pool = RayPool(open_scorer, connect_cluster(nodes.address, {}), workers=1)
wait_for(pool.idle)
pool.submit(job, None)
for time_ in (1, 2):
    wait_for(lambda: Path("begun").exists() and len(Path("begun").read_text()) == time_)
    nodes.remove_node(spot, allow_graceful=False)
    wait_for(lambda: len([node for node in __import__("ray").nodes() if node["Alive"]]) == 1)
    Path("stays").touch() if time_ == 2 else None
    spot = nodes.add_node(num_cpus=1)
wait_for(lambda: False)
pool.close()
nodes.shutdown()
print("\\n" + json.dumps({"answers": [[score.state, score.error] for _, score in answers]}))
"""


def test_nodes_that_are_lost_are_no_fault_of_their_fold(tmp_path: Path) -> None:
    assert run_probe(tmp_path, SPOT)["answers"] == [["ok", None]]


SLOW = """
import json
from harness.errors import EnvironmentFault
from harness.search.cluster import start_cluster

try:
    start_cluster(cpus=1)
except EnvironmentFault as fault:
    print(json.dumps({"fault": str(fault)}))
"""


def test_a_machine_too_busy_for_ray_is_told(tmp_path: Path) -> None:
    # Ray waits no time at all for its first process, as if that came too late.
    fault = run_probe(tmp_path, SLOW, RAY_gcs_server_port_wait_time_s="0")["fault"]
    assert fault.startswith("Ray does not start on this machine (")
    assert fault.endswith("with --workers 1 a run needs no Ray")


def run_probe(folder: Path, text: str, limit_s: float = 120.0, **variables: str) -> dict[str, Any]:
    """Run a script in a folder and return what it says."""
    (folder / "probe.py").write_text(text)
    ran = subprocess.run(
        [sys.executable, "-P", "probe.py"],
        cwd=folder,
        env={**os.environ, **variables, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=limit_s,
    )
    assert ran.returncode == 0, ran.stderr
    said: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return said
