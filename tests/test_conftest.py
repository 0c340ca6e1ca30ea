"""What the tests' own configuration promises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SKIPPING = """\
import pytest

@pytest.mark.skipif(True, reason="no such package")
def test_by_mark(): pass

@pytest.fixture
def lacking(): pytest.importorskip("no_such_package")

def test_by_fixture(lacking): pass

@pytest.mark.xfail
def test_by_expectation(): assert False
"""


@pytest.mark.parametrize(
    ("value", "code", "says"), [("1", 1, "1 xfailed, 2 errors"), ("0", 0, "2 skipped, 1 xfailed")]
)
def test_a_skip_is_a_failure_where_everything_has_to_be_installed(
    tmp_path: Path, value: str, code: int, says: str
) -> None:
    (tmp_path / "conftest.py").write_text(Path(__file__).with_name("conftest.py").read_text())
    (tmp_path / "test_skipping.py").write_text(SKIPPING)
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env=os.environ | {"HARNESS_CI": value},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, says in ended.stdout) == (code, True), ended.stdout
