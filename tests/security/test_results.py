"""A results folder of somebody else's: nothing of it runs, nothing outside it is read or written."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.cli.main import run as call
from harness.runs import rank_run
from tests.security.conftest import Attack, Watched, untouched

VERBS = ("rank", "report", "compare", "run", "plan")


def answer(verb: str, folder: Path) -> int:
    """Call a verb on the run in this process."""
    results = ["--results", str(folder.parent)]
    if verb == "compare":
        return call(["compare", "small", "small", *results])
    if verb in ("run", "plan"):
        more = ["--offline", "--quiet"] if verb == "run" else ["--offline"]
        return call([verb, str(folder.parents[1] / "small.yaml"), *results, *more])
    return call([verb, "small", *results])


def seal(event: dict[str, object]) -> str:
    """Return a line of a ledger that verifies: the seal is no signature."""
    body = json.dumps({"v": 1, "n": 1} | event, separators=(",", ":"))
    return f'{body[:-1]},"sum":"{hashlib.sha256(body.encode()).hexdigest()[:16]}"}}\n'


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    "name", ["ledger.jsonl", "lock.json", "run.lock", "predictions", "importance.json", "studies", ".x.1.tmp"]
)
def test_a_link_out_of_a_run_is_neither_read_nor_written(
    ran: Path, attack: Attack, verb: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place, target = ran / name, attack.outside / "theirs"
    if place.is_dir():
        target.mkdir()
        (target / "theirs.parquet").write_bytes(b"of the user")
        place.rename(ran.parent / "moved")
    else:
        target.write_text("a line without an end")
        place.unlink(missing_ok=True)
    place.symlink_to(target)
    before = target.read_bytes() if target.is_file() else sorted(target.iterdir())
    watched = [target] if target.is_dir() else []
    with untouched(attack.outside, *watched):
        assert answer(verb, ran) == 4
    assert (target.read_bytes() if target.is_file() else sorted(target.iterdir())) == before
    said = capsys.readouterr().err
    assert f"{place}: is a link that leads out of the run's folder, to {target}" in said
    assert "Put the file itself there, or do not use this folder" in said


@pytest.mark.parametrize("verb", VERBS)
def test_a_pipe_in_a_run_is_not_waited_for(ran: Path, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(ran / "predictions" / "endless.parquet")
    assert answer(verb, ran) == 4
    assert "endless.parquet: is a pipe, not a file" in capsys.readouterr().err


def test_a_run_itself_and_links_inside_it_may_be_links(ran: Path) -> None:
    elsewhere = ran.parents[1] / "disk"
    ran.rename(elsewhere)
    ran.symlink_to(elsewhere)
    (ran / "latest.json").symlink_to("table.json")
    assert answer("rank", ran) == 0


LOCKS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a list": lambda lock: [],
    "nothing in it": lambda lock: {},
    "schema of another kind": lambda lock: lock | {"schema_version": ["\x1b[31m"]},
    "no survey": lambda lock: {key: value for key, value in lock.items() if key != "survey"},
    "a survey of words": lambda lock: lock | {"survey": "words"},
    "blocks of words": lambda lock: (
        lock
        | {
            "survey": lock["survey"]
            | {"backbones": {"bert": {"digest": "x", "modality": "text", "blocks": "two"}}}
        }
    ),
    "no task surveyed": lambda lock: lock | {"survey": lock["survey"] | {"tasks": {}}},
    "a base that is no path": lambda lock: lock | {"base": 7},
    "versions of lists": lambda lock: lock | {"versions": [1, 2]},
    "a spec of another kind": lambda lock: lock | {"spec": [1]},
    "a name that climbs": lambda lock: lock | {"spec": lock["spec"] | {"name": "../../x"}},
}


@pytest.mark.parametrize("case", LOCKS)
@pytest.mark.parametrize("verb", ["rank", "report"])
def test_a_lock_that_no_run_writes_is_said_to_be_damaged(
    ran: Path, verb: str, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = json.loads((ran / "lock.json").read_text())
    (ran / "lock.json").write_text(json.dumps(LOCKS[case](lock)))
    code = answer(verb, ran)
    said = capsys.readouterr()
    if code == 0:  # what the lock is wrong in is not what this verb needs
        assert (verb, case) in {("rank", "versions of lists")}
        return
    assert code in (2, 4), said
    assert str(ran) in said.err
    assert "\x1b" not in said.err
    assert "Traceback" not in said.err


def test_a_lock_of_a_hundred_thousand_brackets_is_damaged(ran: Path) -> None:
    (ran / "lock.json").write_text("[" * 100_000)
    assert answer("rank", ran) == 4


LINES: dict[str, dict[str, object]] = {
    "no study": {"event": "fold"},
    "a study that climbs": {"event": "asked", "study": "../../../x", "trial": 0, "candidate": None},
    "a trial of words": {"event": "asked", "study": "s", "trial": "zero", "candidate": None},
    "a candidate of another kind": {"event": "asked", "study": "s", "trial": 0, "candidate": {"lr": 1}},
    "a state of its own": {"event": "trial", "study": "s", "trial": 0, "state": "won", "reason": ""},
    "an unknown event": {"event": ["x"]},
    "no event": {},
}


@pytest.mark.parametrize("case", LINES)
def test_a_sealed_line_that_no_harness_writes_changes_nothing(ran: Path, attack: Attack, case: str) -> None:
    before = rank_run(ran)
    with (ran / "ledger.jsonl").open("a") as ledger:
        ledger.write(seal(LINES[case]))
    after = rank_run(ran)
    assert (after.cells, after.ranking, after.verdicts) == (before.cells, before.ranking, before.verdicts)
    assert answer("report", ran) == 0
    assert not list(attack.inside.parent.glob("x*"))


def test_a_sealed_score_of_another_kind_is_a_damaged_line(ran: Path) -> None:
    from harness.record.ledger import read_history

    lines = (ran / "ledger.jsonl").read_text().splitlines()
    fold = next(json.loads(line) for line in lines if '"event":"fold"' in line)
    fold.pop("sum")
    changes = ({"fold": "0"}, {"metrics": [[1, "x"]]}, {"state": "fine"}, {"seed": None}, {"host": {}})
    with (ran / "ledger.jsonl").open("a") as ledger:
        for change in changes:
            ledger.write(seal({"trial": 7} | fold | change))
    history = read_history(ran)
    assert f"{len(changes)} damaged lines were skipped" in history.damage[0]


def test_predictions_that_unpickle_are_never_unpickled(
    ran: Path, attack: Attack, harness: Callable[..., Watched]
) -> None:
    """Columns of an extension type whose metadata are a pickle, pandas' own metadata, and a pickle by name."""
    tamper(ran, unpickling(attack))
    done = harness("report", ran, cwd=attack.inside)
    assert not attack.marker.exists()
    assert done.ran() == []
    assert done.code == 4, done.said
    assert ".parquet: holds no predictions as a run writes them" in done.said


def test_predictions_that_unpack_to_more_than_they_may_are_refused(
    ran: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = pa.array(np.zeros(20_000_001, dtype=np.int8))
    table = pa.table({"id": pa.DictionaryArray.from_arrays(rows, pa.array(["x"]))})
    tamper(ran, table)
    assert answer("report", ran) == 4
    assert "promises 20000001 rows" in capsys.readouterr().err


@pytest.mark.parametrize("rows", [20_000_001, None])
def test_rows_that_are_a_bomb_or_no_rows_are_refused(
    ran: Path, rows: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pa.table({"id": [1], "content": [2.0], "label": [[3]]})
    if rows is not None:
        bomb = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, dtype=np.int8)), pa.array(["x"]))
        table = pa.table(dict.fromkeys(("id", "content", "label"), bomb))
    (file,) = (ran / "rows").glob("*.parquet")
    pq.write_table(table, file)
    data = ran.parents[1] / "texts.csv"
    data.write_text(data.read_text() + "one more,pos,a1\n")  # so that they are compared
    assert answer("plan", ran) == 4
    said = capsys.readouterr().err
    assert f"{file}: " in said
    assert ("promises 20000001 rows" if rows else "is damaged") in said


def test_an_untrusted_run_opens_nothing_outside_and_runs_nothing(
    ran: Path, attack: Attack, harness: Callable[..., Watched], tmp_path: Path
) -> None:
    for name in ("torch.py", "yaml.py", "numpy.py", "pyarrow.py", "harness.py", "sitecustomize.py"):
        (attack.inside / name).write_text(attack.code())
        (ran / name).write_text(attack.code())
    (ran / "studies").mkdir(exist_ok=True)
    (ran / "studies" / "x.journal").write_bytes(attack.pickle())
    (ran / "importance.json").write_bytes(attack.pickle())
    with untouched(attack.outside):
        for arguments in (["rank", ran], ["report", ran], ["compare", ran, ran]):
            done = harness(*arguments, cwd=ran)
            assert done.code == 0, done.said
            assert done.outside(attack.inside, tmp_path / "cache", tmp_path / "notes.jsonl") == []
            assert done.ran() == []
            assert done.reached() == []
    assert not attack.marker.exists()


def test_export_reads_only_below_the_working_directory(
    ran: Path, attack: Attack, harness: Callable[..., Watched], tmp_path: Path
) -> None:
    lock = json.loads((ran / "lock.json").read_text())
    lock["base"] = str(attack.outside)
    lock["spec"]["tasks"]["mood"]["data"]["csv"] = "secret.csv"
    lock["spec"]["backbones"]["bert"]["model"] = "../inside/tiny-bert"
    (ran / "lock.json").write_text(json.dumps(lock))
    with untouched(attack.outside):
        done = harness("export", ran, "--task", "mood", "--out", tmp_path / "out", "--offline")
    assert done.code == 2, done.said
    assert "tasks.mood.data.csv: 'secret.csv' is outside the working directory; allow it with" in done.said
    assert f"--allow-path {attack.outside}" in done.said
    allowed = harness(
        *("export", ran, "--task", "mood", "--out", tmp_path / "out", "--offline"),
        *("--allow-path", attack.outside),
    )
    assert allowed.code == 3, allowed.said  # and then it is another file than the run's
    assert "the-canary" not in allowed.said


def unpickling(attack: Attack) -> pa.Table:
    """Return a table that some version of some library would unpickle a part of."""
    column = pa.field(
        "id",
        pa.string(),
        metadata={
            b"ARROW:extension:name": b"arrow.py_extension_type",
            b"ARROW:extension:metadata": attack.pickle(),
        },
    )
    schema = pa.schema([column], metadata={b"pandas": attack.pickle(), b"harness": b'{"labels": []}'})
    return pa.Table.from_arrays([pa.array(["a", "b"])], schema=schema)


def tamper(ran: Path, table: pa.Table) -> None:
    """Put other predictions in the place of a run's, with the hash in the ledger that belongs to them."""
    sink = io.BytesIO()
    pq.write_table(table, sink)
    data = sink.getvalue()
    sha256 = hashlib.sha256(data).hexdigest()
    for file in (ran / "predictions").glob("*.parquet"):
        file.write_bytes(data)
    lines = []
    for line in (ran / "ledger.jsonl").read_text().splitlines():
        event = json.loads(line)
        event.pop("sum")
        if event.get("predictions_sha256"):
            event["predictions_sha256"] = sha256
        lines.append(seal(event))
    (ran / "ledger.jsonl").write_text("".join(lines))
