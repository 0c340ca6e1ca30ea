"""What a run leaves behind: nothing that must be unpickled, and nothing of the environment but what is listed."""

from __future__ import annotations

import json
from pathlib import Path

from harness.record.lock import PACKAGES

SUFFIXES = {
    ".csv", ".html", ".journal", ".json", ".jsonl", ".lock", ".log", ".md", ".parquet", ".tex", ".yaml",
}  # fmt: skip
# Pickles from protocol 2 on, zips (torch.save, npz), NumPy's arrays, gzip, zlib, bzip2, xz, LZ4 (joblib).
MAGIC = (
    *(b"\x80" + bytes([protocol]) for protocol in range(2, 6)),
    b"PK\x03\x04", b"\x93NUMPY", b"\x1f\x8b", b"\x78\x01", b"\x78\x9c", b"\x78\xda", b"BZh", b"\xfd7zXZ",
    b"\x04\x22\x4d\x18",
)  # fmt: skip
OLD_PICKLE = (b"(lp", b"(dp", b"ccopy_reg", b"c__builtin__")  # of protocol 0


def test_no_file_of_a_run_is_a_pickle(ran: Path) -> None:
    files = [path for path in ran.rglob("*") if path.is_file()]
    assert len(files) > 8
    assert {path.suffix for path in files} <= SUFFIXES
    for path in files:
        begins = path.read_bytes()[:16]
        assert not begins.startswith((*MAGIC, *OLD_PICKLE)), path.name
        if path.suffix == ".parquet":
            assert begins.startswith(b"PAR1"), path.name


def test_a_lock_records_listed_facts_of_its_environment_alone(ran: Path) -> None:
    lock = json.loads((ran / "lock.json").read_text())
    assert set(lock) == {
        "schema_version", "suite", "seed", "spec_sha256", "spec", "base", "survey", "versions", "machine",
    }  # fmt: skip
    assert set(lock["versions"]) == {"python", *PACKAGES}
    assert set(lock["machine"]) == {"system", "processor"}
    assert set(lock["survey"]) == {"tasks", "backbones", "missing"}
