"""Broken specs, each with exactly what is said of it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness.errors import SpecError
from harness.spec.load import load_spec

BROKEN = Path(__file__).with_name("broken")
EXPECTED = (BROKEN / "expected.txt").read_text(encoding="utf-8").splitlines()
"""What is said of each file; `<parent>` and `<tests>` stand for the folders above the broken specs."""


@pytest.mark.parametrize("file", sorted(BROKEN.glob("*.yaml")), ids=lambda file: file.stem)
def test_a_broken_spec_is_refused_with_all_its_faults(file: Path) -> None:
    begin = time.process_time()
    with pytest.raises(SpecError) as caught:
        load_spec(file)
    said = str(caught.value).replace(f"{BROKEN}/", "")
    said = said.replace(f"{BROKEN.parent}", "<parent>").replace(f"{BROKEN.parent.parent}", "<tests>")
    assert said.splitlines() == [line for line in EXPECTED if line.startswith(f"{file.name}:")]
    assert caught.value.exit_code == 2
    assert time.process_time() - begin < 1


def test_every_expected_line_belongs_to_a_file() -> None:
    assert {line.partition(":")[0] for line in EXPECTED} == {file.name for file in BROKEN.glob("*.yaml")}


MATRIX = {
    "unknown key": "unknown-key-at-the-top",
    "repeated key": "repeated-key",
    "tab": "tab",
    "wrong unit": "rate-with-a-unit",
    "negative rate": "rate-negative",
    "low > high": "range-upside-down",
    "log with 0": "log-from-zero",
    "bool for number": "bool-for-a-number",
    "empty": "empty",
    "two documents": "two-documents",
    "alias bomb": "alias-bomb",
    "3,000 brackets": "brackets",
}
"""What must be refused, whatever else is; the file of 10 MB is made by its test."""


def test_every_fault_that_must_be_refused_has_its_file() -> None:
    files = {file.stem for file in BROKEN.glob("*.yaml")}
    assert len(files) >= 60
    assert set(MATRIX.values()) <= files
    assert (BROKEN / "brackets.yaml").read_text().count("[") >= 3000
    assert {line.split(":")[0] for line in EXPECTED if ": " in line} == {f"{stem}.yaml" for stem in files}


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_text("# " + "x" * 10_000_000, encoding="utf-8")
    begin = time.process_time()
    with pytest.raises(SpecError) as caught:
        load_spec(file)
    assert str(caught.value) == f"{file}: is larger than 128 kB; a spec names data and does not hold it"
    assert time.process_time() - begin < 1


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"none\.yaml: no such file or directory"):
        load_spec(tmp_path / "none.yaml")


def test_a_folder_is_no_spec(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="is a directory"):
        load_spec(tmp_path)
