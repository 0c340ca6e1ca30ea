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
import json
from pathlib import Path
from harness.assets.parcel import holds, pack_path, unpack
from harness.search.cluster import start_cluster
from harness.search.depot import open_depot

here = Path.cwd()
cluster = start_cluster(cpus=1)
packed = pack_path(here / "data")
depot = open_depot([packed], here / "shelf")
said = {"whole": holds(unpack(packed.parcel, here / "store", depot), packed.parcel)}
said["lent"] = depot.lend("0123456789abcdef/float32-d1", here / "borrowed")
said["bytes"] = (here / "borrowed" / "states.bin").read_text()
said["absent"] = depot.lend("0123456789abcdef/float32-d2", here / "nothing")
said["outside"] = [depot.lend(entry, here / "stolen") for entry in ("../data", "0123456789abcdef/../../data")]
try:
    depot("0" * 32, 0)
except Exception as fault:
    said["unknown"] = type(fault).__name__
cluster.close()
print(json.dumps(said))
"""


def test_a_depot_gives_what_was_packed_and_what_the_shelf_holds_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "deep" / "rows.bin").write_bytes(os.urandom(9_000_000))  # more than one piece
    entry = tmp_path / "shelf" / "0123456789abcdef" / "float32-d1"
    entry.mkdir(parents=True)
    (entry / "states.bin").write_text("states")
    (tmp_path / "probe.py").write_text(PROBE)
    ran = subprocess.run(
        [sys.executable, "-P", "probe.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert said == {
        "whole": True, "lent": True, "bytes": "states", "absent": False, "outside": [False, False],
        "unknown": "RayTaskError(KeyError)",
    }  # fmt: skip
    assert not (tmp_path / "stolen").exists()
