"""The index of faults names tests that exist."""

from __future__ import annotations

import re
from functools import cache

import pytest

from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "faults.md"
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE.read_text(encoding="utf-8"))))


@cache
def read_tests(file: str) -> frozenset[str]:
    """Return the names of the tests in a file."""
    return frozenset(
        re.findall(r"^def (test_\w+)\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    )


@pytest.mark.parametrize(("file", "test"), NAMED, ids=[f"{file}::{test}" for file, test in NAMED])
def test_a_test_that_the_index_of_faults_names_exists(file: str, test: str) -> None:
    assert (ROOT / file).exists(), f"docs/faults.md names {file}"
    assert test in read_tests(file), f"docs/faults.md: {file} has no {test}"


def test_every_row_of_the_index_of_faults_names_a_test() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    rows = [row for row in rows if not row.startswith("| what happens")]
    assert len(rows) > 35
    assert [row for row in rows if "::test_" not in row] == []
