"""One cache, eight processes at once: one fills it, all get what is right, and nothing half-made is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.assets.fakes import FILES, write_wheel

pytestmark = [pytest.mark.whole, pytest.mark.faults]
SHARING = Path(__file__).with_name("sharing.py")


def share(kind: str, folder: Path) -> list[str]:
    """Return what each of the processes got."""
    environment = os.environ | {
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_FIND_LINKS": str(folder / "house"),
        "PIP_NO_INDEX": "1",
        "PIP_NO_CACHE_DIR": "1",
    }
    environment.pop("HARNESS_ASSETS", None)
    done = subprocess.run(
        [sys.executable, str(SHARING), kind, str(folder)],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def count_fills(folder: Path) -> int:
    return len((folder / "fills.txt").read_text().splitlines())


def list_strays(folder: Path) -> list[Path]:
    """Return what lies there besides what is finished and the locks."""
    return [path for path in folder.rglob(".*") if not path.name.endswith("lock")]


def test_one_shelf_is_filled_once_and_what_is_damaged_is_made_again_alike(tmp_path: Path) -> None:
    first = share("shelf", tmp_path)
    assert len(first) == 8
    assert len(set(first)) == 2  # one for each place
    assert count_fills(tmp_path) == 1
    one, other = (
        tmp_path / "shelf" / "content" / f"float32-{place}" / "states.bin" for place in ("d1", "d2")
    )
    data = one.read_bytes()
    harms = {
        "flipped": data[:77] + bytes([data[77] ^ 4]) + data[78:],
        "cut": data[:-4],
        "empty": b"",
        "swapped": other.read_bytes(),
    }
    for times, (harm, harmed) in enumerate(harms.items(), start=2):
        one.write_bytes(harmed)
        assert sorted(share("shelf", tmp_path)) == sorted(first), harm
        assert one.read_bytes() == data
        assert count_fills(tmp_path) == times
        assert list_strays(tmp_path / "shelf") == []


def test_one_asset_is_built_once(tmp_path: Path) -> None:
    write_wheel(tmp_path / "house", "fake-one")
    got = share("asset", tmp_path)
    assert len(got) == 8
    assert len(set(got)) == 1
    (folder,) = [path for path in (tmp_path / "cache" / "harness" / "assets").iterdir() if path.is_dir()]
    assert (folder / "model.safetensors").read_bytes() == FILES["fake/model.safetensors"]
    assert list_strays(tmp_path / "cache") == []
