from __future__ import annotations

import fcntl
import os
import resource
import shutil
import socket
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

import pytest

from harness.errors import StorageError
from harness.record.files import CLAIM, Owner, claim_run, find_owner, hold_run, read_last_owner, write_whole

ROOT = Path(__file__).parents[2]
HOLD = "import sys; from pathlib import Path; from harness.record.files import claim_run\n"


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.json"
    write_whole(path, b"old")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert [file.name for file in path.parent.iterdir()] == ["a.json"]


def test_a_second_process_on_a_run_is_told_whose_it_is_within_two_seconds(tmp_path: Path) -> None:
    owner = start(HOLD + "with claim_run(Path(sys.argv[1])): print('held', flush=True); input()", tmp_path)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "held\n"
    began = time.monotonic()
    with pytest.raises(StorageError) as refusal, claim_run(tmp_path):
        pass
    assert time.monotonic() - began < 2
    assert refusal.value.exit_code == 4
    assert f"process {owner.pid} on host {socket.gethostname()}" in str(refusal.value)
    owner.kill()
    owner.communicate()
    with claim_run(tmp_path):  # a killed owner leaves no claim
        pass


def test_an_owner_removes_what_a_killed_one_was_writing(tmp_path: Path) -> None:
    (tmp_path / "predictions").mkdir()
    left = tmp_path / "predictions" / ".a.parquet.17.tmp"
    left.write_bytes(b"half")
    with claim_run(tmp_path):
        assert not left.exists()


def test_a_full_disk_is_a_storage_error_that_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_whole(path, b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(StorageError, match="Free space"):
            write_whole(path, b"x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_a_file_where_the_folder_should_be_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(StorageError, match="what is in the way"), claim_run(tmp_path / "run"):
        pass


def test_a_loop_of_links_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to(tmp_path / "run")
    with pytest.raises(StorageError), claim_run(tmp_path / "run"):
        pass


def test_who_works_on_a_run_is_known_while_it_does(tmp_path: Path) -> None:
    assert find_owner(tmp_path) is None
    with claim_run(tmp_path):
        owner = find_owner(tmp_path)
        assert owner is not None
        assert owner.pid == os.getpid()
        assert datetime.fromisoformat(owner.since).tzinfo is not None
    assert find_owner(tmp_path) is None
    assert read_last_owner(tmp_path) == owner


def test_a_claim_that_is_not_signed_yet_has_an_owner(tmp_path: Path) -> None:
    with (tmp_path / CLAIM).open("w") as claim:
        fcntl.flock(claim, fcntl.LOCK_EX)
        assert find_owner(tmp_path) == Owner()


def test_a_run_is_claimed_while_somebody_looks_who_works_on_it(tmp_path: Path) -> None:
    (tmp_path / CLAIM).touch()
    looking = os.open(tmp_path / CLAIM, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    timer = threading.Timer(0.08, os.close, [looking])
    timer.start()
    with claim_run(tmp_path):
        pass
    timer.join()


def test_a_run_that_is_removed_while_another_process_waits_for_it_is_claimed_anew(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    held = os.open(folder / CLAIM, os.O_RDWR | os.O_CREAT)
    fcntl.flock(held, fcntl.LOCK_EX)

    def leave() -> None:
        shutil.rmtree(folder)
        os.close(held)

    timer = threading.Timer(0.08, leave)
    timer.start()
    with claim_run(folder):
        timer.join()
        with pytest.raises(StorageError, match=f"process {os.getpid()}"), claim_run(folder):
            pass


def test_who_only_holds_a_run_has_not_worked_on_it(tmp_path: Path) -> None:
    with claim_run(tmp_path) as worker:
        pass
    signed = (tmp_path / CLAIM).read_bytes().replace(str(os.getpid()).encode(), b"1")
    (tmp_path / CLAIM).write_bytes(signed)
    for _ in range(2):
        with hold_run(tmp_path):
            holder = find_owner(tmp_path)
            assert read_last_owner(tmp_path) == Owner(pid=1, host=worker.host, since=worker.since)
        assert holder is not None
        assert holder.pid == os.getpid()
    assert (tmp_path / CLAIM).read_bytes() == signed
    with claim_run(tmp_path):
        assert read_last_owner(tmp_path) == find_owner(tmp_path)


def test_a_holder_that_was_killed_has_not_worked_on_its_run(tmp_path: Path) -> None:
    with claim_run(tmp_path) as worker:
        pass
    holder = start(
        HOLD.replace("claim_run", "hold_run")
        + "with hold_run(Path(sys.argv[1])): print('held', flush=True); input()",
        tmp_path,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.communicate()
    assert (read_last_owner(tmp_path), find_owner(tmp_path)) == (worker, None)
