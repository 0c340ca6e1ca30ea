"""Both files of record cut, flipped and lost, at every byte that matters: what remains leads to the same tables."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.record.ledger import LEDGER, Ledger, read_history
from harness.record.lines import decode_line
from harness.record.scores import FoldJob, FoldScore
from harness.search.proposals import Proposals
from harness.spec.models import Search
from tests.search.made import make_plan, make_score, make_study, read_tables, run_plan

SEARCH = Search(trials=2, startup=1, pruner="none")
PLAN = make_plan(make_study("majority"), make_study("depth", trials=2), make_study("full", trials=2))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing has happened to."""
    folder = tmp_path_factory.mktemp("cuts") / "whole"
    run_plan(folder, PLAN, SEARCH)
    return folder


def copy(whole: Path, to: Path, ledger: bytes) -> Path:
    """Return a copy of the run with another ledger."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(whole, to)
    (to / LEDGER).write_bytes(ledger)
    return to


def rerun(folder: Path) -> list[tuple[object, ...]]:
    """Run the same suite again and return the keys of the folds that were fitted."""
    fitted: list[tuple[object, ...]] = []

    def score(job: FoldJob) -> FoldScore:
        fitted.append(job.key)
        return make_score(job)

    run_plan(folder, PLAN, SEARCH, score=score)
    return fitted


def list_folds(lines: list[bytes]) -> set[tuple[object, ...]]:
    """Return the keys of the folds that lines record."""
    rows = [json.loads(line) for line in lines]
    return {
        (row["study"], row["trial"], row["repeat"], row["fold"], row["fraction"])
        for row in rows
        if row["event"] == "fold"
    }


def check_mended(folder: Path, whole: Path) -> None:
    assert repr(read_tables(folder)) == repr(read_tables(whole))
    keys = [fold.key for record in read_history(folder).trials.values() for fold in record.folds]
    assert len(keys) == len(set(keys))


def test_a_ledger_cut_at_any_byte_of_its_last_lines_keeps_all_lines_before(
    whole: Path, tmp_path: Path
) -> None:
    data = (whole / LEDGER).read_bytes()
    lines = data.splitlines(keepends=True)
    start = len(data) - sum(map(len, lines[-4:]))
    for cut in range(start, len(data) + 1):
        (tmp_path / LEDGER).write_bytes(data[:cut])
        found = read_history(tmp_path)
        kept = data[: data[:cut].rfind(b"\n") + 1]
        if cut % 41 == 0:  # each opening waits for the disk
            with Ledger.open(tmp_path) as ledger:
                assert repr(ledger.history().trials) == repr(found.trials)  # NaN equals nothing
            assert (tmp_path / LEDGER).read_bytes() == kept
        assert list_folds(kept.splitlines()) == {
            fold.key for record in found.trials.values() for fold in record.folds
        }
        assert bool(found.torn) == (len(kept) < cut)
        assert found.damage == ()


def test_a_ledger_cut_within_its_last_lines_leads_to_the_same_tables(whole: Path, tmp_path: Path) -> None:
    data = (whole / LEDGER).read_bytes()
    lines = data.splitlines(keepends=True)
    start = len(data) - sum(map(len, lines[-4:]))
    for cut in range(start, len(data), 131):
        folder = copy(whole, tmp_path / "again", data[:cut])
        lost = list_folds(lines) - list_folds(data[:cut].split(b"\n")[:-1])
        assert set(rerun(folder)) == lost
        check_mended(folder, whole)


def test_a_flip_of_any_byte_of_a_line_loses_that_line_and_says_so(whole: Path, tmp_path: Path) -> None:
    data = (whole / LEDGER).read_bytes()
    lines = data.splitlines(keepends=True)
    place = next(index for index, line in enumerate(lines) if b'"event":"fold"' in line)
    start = sum(map(len, lines[:place]))
    good = [decode_line(line[:-1]) for line in lines]
    for at in range(start, start + len(lines[place])):
        flipped = bytearray(data)
        flipped[at] ^= 1 << at % 8
        (tmp_path / LEDGER).write_bytes(flipped)
        found = read_history(tmp_path)
        folds = {fold.key for record in found.trials.values() for fold in record.folds}
        last_byte = at == start + len(lines[place]) - 1  # the newline: the next line is part of this one then
        gone = list_folds(lines[place : place + 1 + last_byte])
        assert folds == list_folds(lines) - gone, at
        assert "damaged line" in found.damage[0], at
        assert f"number {good[-1].number}" in found.damage[0]  # type: ignore[union-attr]  # it verifies


def lose(lines: list[bytes]) -> Iterator[list[bytes]]:
    """Yield the ledger without each of its lines, and without each three in a row."""
    for place in range(len(lines)):
        yield lines[:place] + lines[place + 1 :]
        yield lines[:place] + lines[place + 3 :]


def test_only_the_folds_of_lost_lines_run_again(whole: Path, tmp_path: Path) -> None:
    lines = (whole / LEDGER).read_bytes().splitlines(keepends=True)
    for number, left in enumerate(lose(lines)):
        if number % 3:  # all would take 5 s
            continue
        folder = copy(whole, tmp_path / "again", b"".join(left))
        assert set(rerun(folder)) == list_folds(lines) - list_folds(left), number
        check_mended(folder, whole)


def test_a_deleted_ledger_is_said_and_its_run_is_made_again(whole: Path, tmp_path: Path) -> None:
    folder = copy(whole, tmp_path / "again", b"")
    (folder / LEDGER).unlink()
    with Ledger.open(folder) as ledger:
        assert "10 folds have predictions but no line here" in ledger.history().damage[0]
    assert len(rerun(folder)) == 10
    check_mended(folder, whole)


def list_journals(folder: Path) -> list[Path]:
    return sorted((folder / "studies").glob("*.journal"))


def open_all(folder: Path) -> None:
    """Open every study's proposals as a run does."""
    history = read_history(folder)
    for study in PLAN.studies:
        if study.kind == "arm":
            Proposals.open(folder, study, SEARCH, history)


def test_a_journal_cut_or_flipped_anywhere_in_its_tail_is_as_it_was(whole: Path, tmp_path: Path) -> None:
    folder = copy(whole, tmp_path / "again", (whole / LEDGER).read_bytes())
    path = list_journals(folder)[0]
    data = path.read_bytes()
    tail = sum(map(len, data.splitlines(keepends=True)[-3:]))
    open_all(folder)
    assert path.read_bytes() == data
    study = next(study for study in PLAN.studies if study.id == path.stem)
    for at in range(len(data) - tail, len(data)):
        flipped = data[:at] + bytes([data[at] ^ 1 << at % 7]) + data[at + 1 :]
        for harmed in (
            (data[:at], flipped) if at % 5 == 0 else (data[:at],)
        ):  # each mending waits for the disk
            path.write_bytes(harmed)
            proposals = Proposals.open(folder, study, SEARCH, read_history(folder))
            assert proposals.ask() is None  # both trials are known


def test_journals_that_were_swapped_are_each_rebuilt(whole: Path, tmp_path: Path) -> None:
    folder = copy(whole, tmp_path / "again", (whole / LEDGER).read_bytes())
    first, second = list_journals(folder)
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    assert rerun(folder) == []
    check_mended(folder, whole)
    assert first.stem.encode() in first.read_bytes()
    assert first.stem.encode() not in second.read_bytes()
