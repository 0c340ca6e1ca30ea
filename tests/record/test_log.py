"""The log of a run: plain lines that anybody may read in any terminal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.errors import StorageError
from harness.record import log
from harness.record.log import LOG, OLDER, log_faults, read_log, write_log


def test_an_event_is_one_line_with_its_utc_time(tmp_path: Path) -> None:
    write_log(tmp_path, "trial", "reviews t-0001: failed:\n  out of memory\n\n  300 MB")
    assert re.fullmatch(
        r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ trial    reviews t-0001: failed: \| out of memory \| 300 MB\n",
        (tmp_path / LOG).read_text(),
    )


def test_nothing_in_a_line_moves_a_cursor(tmp_path: Path) -> None:
    write_log(tmp_path, "fold", "a\x1b[2Jb\x9bc\u202ed\ud800e\x07")
    text = (tmp_path / LOG).read_text()
    assert text.rstrip("\n").isprintable()
    assert r"a\x1b[2Jb\x9bc\u202ed\ud800e\x07" in text


def test_no_secret_of_the_environment_or_of_a_url_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_canary_1234567")
    write_log(tmp_path, "error", "https://ana:canary@example.org/x?token=canary: hf_canary_1234567 refused")
    assert "canary" not in (tmp_path / LOG).read_text()


def test_lines_are_read_back_and_what_is_none_is_left_out(tmp_path: Path) -> None:
    write_log(tmp_path, "start", "one")
    with (tmp_path / LOG).open("a") as file:
        file.write("torn li\n\n")
    write_log(tmp_path, "complete", "two words")
    assert [(entry.kind, entry.text) for entry in read_log(tmp_path)] == [
        ("start", "one"),
        ("complete", "two words"),
    ]
    assert read_log(tmp_path / "nowhere") == ()


def test_a_log_that_is_too_long_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "LOG_BYTES", 300)
    for number in range(40):
        write_log(tmp_path, "trial", f"number {number}")
    sizes = [(tmp_path / name).stat().st_size for name in (LOG, OLDER)]
    assert all(size < 400 for size in sizes)
    assert read_log(tmp_path)[-1].text == "number 39"


def test_a_long_line_is_cut(tmp_path: Path) -> None:
    write_log(tmp_path, "fold", "x" * 10_000)
    assert (tmp_path / LOG).stat().st_size < 3_000


def test_a_log_that_cannot_be_written_is_a_fault_of_storage(tmp_path: Path) -> None:
    (tmp_path / LOG).mkdir()
    with pytest.raises(StorageError, match=r"run\.log"):
        write_log(tmp_path, "start", "go")


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(StorageError("full"), "error"), (RuntimeError("ours"), "error"), (KeyboardInterrupt(), "forced")],
)
def test_what_ends_a_run_by_force_is_in_its_log(tmp_path: Path, fault: BaseException, kind: str) -> None:
    with pytest.raises(type(fault)), log_faults(tmp_path):
        raise fault
    (entry,) = read_log(tmp_path)
    assert entry.kind == kind
    assert entry.text == f"{type(fault).__name__}: {fault}".strip()


def test_what_a_library_makes_of_a_signal_is_no_fault(tmp_path: Path) -> None:
    with pytest.raises(SystemExit), log_faults(tmp_path):
        raise SystemExit(15)
    assert read_log(tmp_path) == ()


def test_a_fault_is_not_hidden_by_a_log_that_cannot_take_it(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ours"), log_faults(tmp_path / "gone"):
        raise RuntimeError("ours")
