"""pip's failures, each in one line that says what to do."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.assets.lock import Package
from harness.assets.packages import SourceError, download_packages
from harness.errors import AssetError
from tests.assets.fakes import FILES, Told, pin, serve_slowly, write_wheel


def test_a_package_that_no_index_offers_is_named(house: Path, tmp_path: Path) -> None:
    package = pin(write_wheel(tmp_path / "elsewhere", "fake-one"))
    with pytest.raises(SourceError, match=r"fake-one 1\.0: no index known to pip offers it"):
        download_packages([package], tmp_path / "packages")


def test_an_interpreter_without_pip_is_told_how_to_get_it(
    house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = pin(write_wheel(house, "fake-one"))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare" / "bin" / "python"))
    with pytest.raises(AssetError, match=r"has no pip\. Add it with `python -m ensurepip`"):
        download_packages([package], tmp_path / "packages")


def test_an_unreachable_index_is_said_at_once_and_no_secret_with_it(
    house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = pin(write_wheel(tmp_path / "elsewhere", "fake-one"))
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("HF_TOKEN", "canary-token")
    with socket.socket() as closed:  # bound but not listening: connections are refused
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        monkeypatch.setenv("PIP_INDEX_URL", f"http://someone:canary-password@127.0.0.1:{port}/simple")
        started = time.monotonic()
        with pytest.raises(AssetError, match="no package index can be reached") as caught:
            download_packages([package], tmp_path / "packages")
    assert time.monotonic() - started < 30
    assert "canary" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_module_in_the_working_directory_is_not_run(
    house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = pin(write_wheel(house, "fake-one"))
    (tmp_path / "pip.py").write_text("raise SystemExit('run')")
    monkeypatch.chdir(tmp_path)
    assert download_packages([package], tmp_path / "packages")["fake-one"].name.startswith("fake_one")


def test_one_of_several_platforms_hashes_is_enough(house: Path, tmp_path: Path) -> None:
    own = pin(write_wheel(house, "fake-one"))
    package = Package(
        name=own.name, version=own.version, form="wheel", sha256=("0" * 64, *own.sha256), bytes=own.bytes
    )
    assert set(download_packages([package], tmp_path / "packages")) == {"fake-one"}


def test_the_bytes_that_are_here_are_told_while_pip_fetches(
    house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = pin(write_wheel(house, "fake-one", {**FILES, "fake/more": os.urandom(2_000_000)}))
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    told = Told()
    with serve_slowly(house, pieces=4, pause_s=0.6) as (index, _):
        monkeypatch.setenv("PIP_INDEX_URL", index)
        download_packages([package], tmp_path / "packages", told)
    assert told.sizes == [package.bytes]
    assert told.done == sorted(told.done)
    assert len({done for done in told.done if 0 < done < package.bytes}) >= 2
    assert max(told.done) <= package.bytes
    assert told.lines == []
