"""The page on security: its tests exist, its limits are those of the code, no test of an attack is left out."""

from __future__ import annotations

import importlib
import re

import pytest

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "`tests/" in line]
LIMITS = dict(re.findall(r"^\| ([^|`]+) \| [^|]+ \| (`harness.+`) \|$", PAGE, re.M))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:40])
def test_every_threat_names_tests_that_exist(row: str) -> None:
    for path in re.findall(r"`(tests/[\w/.]+)`", row.rpartition(" | ")[2]):
        assert "def test_" in (ROOT / path).read_text(encoding="utf-8"), path


def test_every_file_of_attacks_is_on_the_page() -> None:
    for file in (ROOT / "tests" / "security").glob("test_*.py"):
        assert f"`tests/security/{file.name}`" in PAGE, file.name


def test_every_limit_on_the_page_is_a_number_of_the_code() -> None:
    assert len(LIMITS) >= 8
    for names in LIMITS.values():
        for name in re.findall(r"`(harness[\w.]+)`", names):
            module, _, constant = name.rpartition(".")
            assert getattr(importlib.import_module(module), constant) > 0
