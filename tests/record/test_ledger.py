from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from harness.errors import StorageError
from harness.record.ledger import LEDGER, Ledger, read_history
from harness.record.lines import Folded, encode_line
from harness.record.predictions import predictions_name
from tests.record.made import CANDIDATE, fill_ledger, make_fold, make_predictions


def fill(folder: Path, **counts: int) -> bytes:
    list(fill_ledger(folder, **counts))
    return (folder / LEDGER).read_bytes()


def reopen(folder: Path, data: bytes) -> Ledger:
    (folder / LEDGER).write_bytes(data)
    return Ledger.open(folder)


def test_everything_comes_back_as_it_was(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.record_asked("s", 0, CANDIDATE)
        ledger.record_asked("b", 0, None)
        assert ledger.record_fold(make_fold())
        ledger.record_fold(make_fold(1, state="diverged", valid_score=None, error="loss \ud800 'x'\n€"))
        ledger.record_end("s", 0, "failed", "diverged")
        kept = ledger.history()
    read = read_history(tmp_path)
    assert read == kept
    assert read.damage == ()
    record = read.trials["s", 0]
    assert record.candidate == CANDIDATE
    assert record.candidate.digest() == CANDIDATE.digest()
    assert record.folds[0] == make_fold()
    assert (record.state, record.reason) == ("failed", "diverged")
    assert read.trials["b", 0].candidate is None


def test_an_undefined_score_comes_back_as_nan(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.record_asked("s", 0, CANDIDATE)
        ledger.record_fold(make_fold(valid_score=float("nan")))
    score = read_history(tmp_path).trials["s", 0].folds[0].valid_score
    assert score is not None
    assert score != score


def test_every_line_is_legal_json(tmp_path: Path) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    lines = fill(tmp_path).splitlines()
    events = [json.loads(line, parse_constant=refuse)["event"] for line in lines]
    assert events == ["asked", "fold", "fold", "trial"] * 2


def test_a_fold_counts_once(tmp_path: Path) -> None:
    fill(tmp_path)
    with Ledger.open(tmp_path) as ledger:
        assert not ledger.record_fold(make_fold(valid_score=0.1))
        before = ledger.history()
    assert read_history(tmp_path) == before
    assert before.trials["s", 0].folds[0].valid_score == 0.7


def test_a_line_that_stands_twice_counts_once(tmp_path: Path) -> None:
    data = fill(tmp_path)
    lines = data.splitlines(keepends=True)
    with reopen(tmp_path, data + lines[1] + lines[3]) as ledger:
        assert len(ledger.history().trials["s", 0].folds) == 2


def test_a_tail_torn_at_any_byte_is_cut_and_nothing_else_is_lost(tmp_path: Path) -> None:
    data = fill(tmp_path)
    start = data[:-1].rfind(b"\n") + 1
    whole = read_history(tmp_path)
    for cut in range(start, len(data)):
        with reopen(tmp_path, data[:cut]) as ledger:
            history = ledger.history()
            assert history.trials["s", 0] == whole.trials["s", 0]
            assert history.trials["s", 1].state == "running"
            assert history.damage == ()  # a kill's half line is no loss
            assert bool(history.torn) == (cut > start)
            ledger.record_end("s", 1, "complete")
        assert (tmp_path / LEDGER).read_bytes() == data


def test_a_tail_of_zeros_is_cut(tmp_path: Path) -> None:
    data = fill(tmp_path)
    with reopen(tmp_path, data + b"\0" * 4096) as ledger:
        assert "unfinished last line of 4096 bytes" in ledger.history().torn
    assert (tmp_path / LEDGER).read_bytes() == data


def test_a_flipped_bit_loses_one_line_and_says_which(tmp_path: Path) -> None:
    data = bytearray(fill(tmp_path))
    place = data.index(b"\n") + 40
    data[place] ^= 1
    with reopen(tmp_path, bytes(data)) as ledger:
        history = ledger.history()
        assert [fold.fold for fold in history.trials["s", 0].folds] == [1]
        assert "1 damaged lines were skipped (line 2)" in history.damage[0]
        assert "number 8" in history.damage[0]
        assert ledger.record_fold(make_fold(0))  # it may run again
    assert len(read_history(tmp_path).trials["s", 0].folds) == 2


def test_a_lost_line_is_counted(tmp_path: Path) -> None:
    lines = fill(tmp_path).splitlines(keepends=True)
    with reopen(tmp_path, b"".join(lines[:1] + lines[3:])) as ledger:
        assert "2 lines are missing" in ledger.history().damage[0]


def test_a_lost_asked_line_costs_nothing_where_a_fold_is_left(tmp_path: Path) -> None:
    lines = fill(tmp_path).splitlines(keepends=True)
    with reopen(tmp_path, b"".join(lines[1:])) as ledger:
        record = ledger.history().trials["s", 0]
    assert (record.candidate, record.state, len(record.folds)) == (CANDIDATE, "complete", 2)


def test_predictions_are_durable_before_their_line_and_named_by_it(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.record_asked("s", 0, CANDIDATE)
        ledger.record_fold(replace(make_fold(), predictions=make_predictions()))
    fold = read_history(tmp_path).trials["s", 0].folds[0]
    assert fold.predictions is None
    assert fold.predictions_sha256 is not None
    assert len(fold.predictions_sha256) == 64
    assert (tmp_path / "predictions" / predictions_name(fold.key)).exists()


def test_a_deleted_ledger_is_noticed_by_the_predictions_that_it_leaves(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.record_asked("s", 0, CANDIDATE)
        for fold in range(3):
            ledger.record_fold(replace(make_fold(fold), predictions=make_predictions()))
    (tmp_path / LEDGER).unlink()
    with Ledger.open(tmp_path) as ledger:
        assert "3 folds have predictions but no line here" in ledger.history().damage[0]


def test_predictions_that_a_kill_left_without_a_line_are_no_damage(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.record_asked("s", 0, CANDIDATE)
        ledger.record_fold(replace(make_fold(), predictions=make_predictions()))
    data = (tmp_path / LEDGER).read_bytes()
    with reopen(tmp_path, data[: data.index(b"\n") + 1]) as ledger:
        assert ledger.history().damage == ()
    assert list((tmp_path / "predictions").iterdir()) == []


def fill_up(ledger: Ledger) -> None:
    for trial in range(1, 9):
        ledger.record_asked("s", trial, CANDIDATE)


@pytest.mark.parametrize("room", range(0, 1200, 150))
def test_a_disk_that_fills_loses_nothing_acknowledged(tmp_path: Path, room: int) -> None:
    fill(tmp_path, trials=1)
    size = (tmp_path / LEDGER).stat().st_size
    whole = read_history(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Ledger.open(tmp_path) as ledger:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, before[1]))
        try:
            with pytest.raises(StorageError, match="Free space"):
                fill_up(ledger)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        acknowledged = len(ledger.history().trials) - 1
        with pytest.raises(StorageError):  # nobody knows what the disk holds now
            ledger.record_asked("s", 9, CANDIDATE)
    with Ledger.open(tmp_path) as ledger:
        history = ledger.history()
    assert history.damage == ()
    assert set(history.trials) == {("s", trial) for trial in range(acknowledged + 1)}
    assert history.trials["s", 0] == whole.trials["s", 0]


def test_a_newer_ledger_is_refused(tmp_path: Path) -> None:
    data = fill(tmp_path, trials=1)
    from harness.record import lines

    body = data.splitlines()[0].replace(b'{"v":1,', b'{"v":2,')
    start = body[: -len(',"sum":"0123456789abcdef"}')].decode()
    sealed = f'{start},"sum":"{lines._seal(start + "}")}"}}\n'.encode()
    with pytest.raises(StorageError, match="version 2"):
        reopen(tmp_path, sealed)


def test_an_event_of_another_kind_is_kept_and_not_read(tmp_path: Path) -> None:
    from harness.record import lines

    data = fill(tmp_path, trials=1)
    body = '{"v":1,"n":5,"event":"confirm","study":"s"}'
    sealed = f'{body[:-1]},"sum":"{lines._seal(body)}"}}\n'.encode()
    with reopen(tmp_path, data + sealed) as ledger:
        assert ledger.history().damage == ()
        ledger.record_asked("s", 1, CANDIDATE)
    assert read_history(tmp_path).damage == ()
    assert sealed in (tmp_path / LEDGER).read_bytes()


def test_reading_changes_nothing(tmp_path: Path) -> None:
    data = fill(tmp_path) + b'{"half'
    (tmp_path / LEDGER).write_bytes(data)
    assert "cut" in read_history(tmp_path).torn
    assert (tmp_path / LEDGER).read_bytes() == data


def test_five_thousand_trials_load_in_five_seconds(tmp_path: Path) -> None:
    from harness.record import lines

    events: list[lines.Event] = []
    for trial in range(5000):
        candidate = replace(CANDIDATE, head_lr=1e-4 + trial * 1e-7)
        events.append(lines.Asked(study="s", trial=trial, candidate=candidate))
        events += [lines.Folded(score=make_fold(f, trial=trial), candidate=candidate) for f in range(5)]
        events.append(lines.Ended(study="s", trial=trial, state="complete", reason=""))
    data = b"".join(lines.encode_line(number, event) for number, event in enumerate(events, start=1))
    (tmp_path / LEDGER).write_bytes(data)
    began = time.process_time()
    with Ledger.open(tmp_path) as ledger:
        assert len(ledger.history().trials) == 5000
    assert time.process_time() - began < 5
    shutil.rmtree(tmp_path)


def test_a_fold_counts_once_for_each_fraction(tmp_path: Path) -> None:
    parts = [make_fold(fraction=fraction, n_train=rows) for fraction, rows in ((0.1, 8), (0.3, 24))]
    with Ledger.open(tmp_path) as ledger:
        ledger.record_asked("s", 0, CANDIDATE)
        assert ledger.record_fold(make_fold())
        ledger.record_end("s", 0, "complete")
        assert ledger.record_fold(parts[0])
        assert ledger.record_fold(parts[1])
        assert not ledger.record_fold(parts[0])
        kept = ledger.history()
    with Ledger.open(tmp_path) as ledger:
        assert not ledger.record_fold(parts[1])
        assert ledger.history() == kept
    record = read_history(tmp_path).trials["s", 0]
    assert record.folds == (make_fold(),)
    assert record.reduced == tuple(parts)
    assert (record.state, record.fitted_epochs()) == ("complete", (3,))


def test_a_line_of_before_there_were_fractions_is_of_all_rows(tmp_path: Path) -> None:
    line = encode_line(1, Folded(score=make_fold(), candidate=CANDIDATE))
    body = line.partition(b',"sum"')[0].replace(b'"fraction":1.0,', b"") + b"}"
    seal = hashlib.sha256(body).hexdigest()[:16]
    (tmp_path / LEDGER).write_bytes(body[:-1] + f',"sum":"{seal}"}}\n'.encode())
    assert b"fraction" not in body
    history = read_history(tmp_path)
    assert history.damage == ()
    assert history.trials["s", 0].folds == (make_fold(),)


def test_predictions_of_a_fraction_have_a_file_of_their_own(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.record_asked("s", 0, CANDIDATE)
        for fraction in (1.0, 0.1, 0.3):
            ledger.record_fold(make_fold(fraction=fraction, predictions=make_predictions()))
        assert ledger.history().damage == ()
    names = {file.name for file in (tmp_path / "predictions").iterdir()}
    assert names == {"s-t0-r0-f0.parquet", "s-t0-r0-f0-p0.1.parquet", "s-t0-r0-f0-p0.3.parquet"}
    with Ledger.open(tmp_path) as ledger:  # nothing is taken for a lost line, and nothing removed
        assert ledger.history().damage == ()
    for name in names:
        shares = set(pq.read_table(tmp_path / "predictions" / name)["fraction"].to_pylist())
        assert shares == {float(name.partition("-p")[2].removesuffix(".parquet") or 1)}


def test_sessions_add_up_and_a_finished_run_begins_none(tmp_path: Path) -> None:
    now_s = iter((105.0, 160.0, 190.5)).__next__
    with Ledger.open(tmp_path, clock=now_s, began_s=100.0) as ledger:
        ledger.record_asked("s", 0, CANDIDATE)
        ledger.record_fold(make_fold())
        ledger.record_end("s", 0, "complete")
        assert ledger.history().spent_s == 90.5
    with Ledger.open(tmp_path, clock=iter((7.0, 8.0)).__next__, began_s=5.0) as ledger:
        ledger.record_asked("s", 0, CANDIDATE)  # it is known: nothing is written
        assert len(ledger.history().sessions) == 1
        ledger.record_asked("s", 1, CANDIDATE)
        kept = ledger.history()
    assert read_history(tmp_path) == kept
    assert [session.elapsed_s for session in kept.sessions] == [90.5, 2.0]
    assert kept.spent_s == 92.5
    began = datetime.fromisoformat(kept.sessions[0].started_at)
    assert (began.utcoffset(), kept.sessions[0].pid) == (timedelta(0), os.getpid())
    assert 95 > (datetime.now(UTC) - began).total_seconds() > 4
