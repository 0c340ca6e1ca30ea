"""Secrets of whoever runs a suite: in no file and no line of it, and no socket of ours or Ray's without the token."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.cli.main import run
from tests.whole.commands import Command, end_command, start_command, write_suite
from tests.whole.sockets import list_listening
from tests.whole.wire import REFUSED, UNKNOWN, ask_http, call

pytestmark = [pytest.mark.whole, pytest.mark.faults]

CANARIES = {
    "HF_TOKEN": "hf_canary0of0the0hub0token",
    "AWS_SECRET_ACCESS_KEY": "canary/of+the/cloud+key",
    "OPENAI_API_KEY": "sk-canary-of-the-other-cloud",
    "NIGHT_DB_PASSWORD": "canary-of-the-database",
}
IN_URLS = ("canary-of-the-login", "canary-of-the-query")
WORDS = tuple(word.encode() for word in (*CANARIES.values(), *IN_URLS))
METHODS = (
    "NodeInfoGcsService/GetAllNodeInfo",
    "InternalKVGcsService/InternalKVKeys",
    "NodeManagerService/GetNodeStats",
    "ObjectManagerService/Push",
    "ObjectManagerService/Pull",
    "CoreWorkerService/PushTask",
    "CoreWorkerService/GetCoreWorkerStats",
)
SPEC = """\
version: 1
name: small
tasks:
  mood:
    type: text-classification
    data: {csv: texts.csv, text: text, label: label}
  leak:
    type: text-classification
    data: {csv: texts.csv, text: text, label: label}
    metric: leaky
backbones:
  bert: {model: tiny-bert}
arms:
  head-only: {freeze_depth: all, epochs: 1, head_lr: {log: [1e-3, 1e-1]}, batch_size: 8}
baselines: [majority]
protocol: {folds: 2}
search: {trials: 2, sampler: random, pruner: none}
compute: {threads: 1}
"""
LEAKY = f"""\
import time
TARGETS, HIGHER_IS_BETTER, BOUNDS = "classes", True, (0.0, 1.0)
def score(predictions, targets, weights):
    time.sleep(0.5)
    raise ValueError("cannot reach https://ann:{IN_URLS[0]}@db.example/x?api_key={IN_URLS[1]}: {CANARIES["HF_TOKEN"]}"
                     "\\n{CANARIES["NIGHT_DB_PASSWORD"]}")
"""


@dataclass(slots=True, kw_only=True)
class Evidence:
    """What was seen of a run from outside while it went on, and where it lies."""

    folder: Path
    workers: int
    code: int = -1
    sockets: dict[tuple[str, int], str] = field(default_factory=dict)
    answers: dict[tuple[str, int], tuple[bytes, set[int]]] = field(default_factory=dict)
    environments: dict[str, bytes] = field(default_factory=dict)
    logs: dict[Path, bytes] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two of Ray's"])
def evidence(
    request: pytest.FixtureRequest, tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Evidence]:
    """A suite run with secrets all around it, one of whose metrics fails and tells them; and the verbs after it."""
    folder = tmp_path_factory.mktemp("secrets")
    write_suite(folder, tiny_bert)
    (folder / "small.yaml").write_text(SPEC)
    (folder / "plugins" / "metrics").mkdir(parents=True)
    (folder / "plugins" / "metrics" / "leaky.py").write_text(LEAKY)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CANARIES.items():
            patch.setenv(name, value)
        command = start_command(folder, request.param, "--plugins", "plugins")
        found = Evidence(folder=folder, workers=request.param)
        try:
            while not command.ended:
                look(command, found)
                time.sleep(0.2)
            found.code = command.finish()
        finally:
            end_command(command)
        found.outputs.append(command.said())
        yield found


def look(command: Command, found: Evidence) -> None:
    """Note what can be seen of a run at this moment."""
    others = command.left()
    for address, pid in list_listening([command.process.pid, *others]).items():
        found.sockets.setdefault(address, others.get(pid, "the command"))
        if address not in found.answers:
            with suppress(OSError):  # it ended meanwhile, or speaks no such protocol
                statuses = {call(address, method, token) for method in METHODS for token in (None, "f" * 64)}
                found.answers[address] = (b"", statuses)
            with suppress(OSError):
                if line := ask_http(address):
                    found.answers[address] = (line, set())
    for pid, line in others.items():
        with suppress(OSError):
            found.environments[line] = Path(f"/proc/{pid}/environ").read_bytes()
    for place in folders_of(found):
        with suppress(OSError):
            found.modes[str(place)] = stat.S_IMODE(place.stat().st_mode)
            found.modes["token"] = stat.S_IMODE((place / "token").stat().st_mode)
        for path in place.rglob("*"):
            with suppress(OSError):
                if path.is_file():
                    found.logs[path] = path.read_bytes()


def folders_of(found: Evidence) -> set[Path]:
    """Return the folders of the clusters whose token the processes know."""
    name = b"RAY_AUTH_TOKEN_PATH="
    values = [
        entry.removeprefix(name)
        for environment in found.environments.values()
        for entry in environment.split(b"\0")
        if entry.startswith(name)
    ]
    return {Path(value.decode()).parent for value in values}


def test_no_byte_of_a_run_is_a_secret(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in CANARIES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(evidence.folder / "cache"))
    monkeypatch.chdir(evidence.folder)
    plugins = ("--plugins", "plugins")
    spec, out = "small.yaml", ("--task", "mood", "--out", "model", "--offline")
    assert evidence.code == 1, evidence.outputs  # a task failed, and said so
    for arguments, code in (
        (("rank", "small", *plugins), 0),
        (("report", "small", *plugins, "--json"), 0),
        (("export", "small", *out, *plugins), 0),
        (("plan", spec, "--offline", *plugins), 0),
        (("validate", spec, *plugins, "--set", f"description=https://ann:{IN_URLS[0]}@db.example/"), 2),
        (("validate", spec, "--set", f"description={CANARIES['OPENAI_API_KEY']}"), 2),
        (("rank", f"https://ann:{IN_URLS[0]}@db.example/small"), 2),
        (("validate", f"https://db.example/small?access_token={IN_URLS[1]}"), 2),
        (("validate", spec, "--json", "--set", f"name={CANARIES['NIGHT_DB_PASSWORD']}"), 2),
    ):
        assert run(list(arguments)) == code, arguments
    said = capfd.readouterr()
    told = [*evidence.outputs, said.out, said.err]
    assert any("cannot reach https://***@db.example/x?api_key=***" in text for text in told), told
    for text in told:
        assert [word for word in WORDS if word in text.encode()] == []
    plug_in = evidence.folder / "plugins"
    files = [path for path in evidence.folder.rglob("*") if path.is_file() and plug_in not in path.parents]
    assert {"ledger.jsonl", "folds.parquet", "report.html", "lock.json"} <= {path.name for path in files}
    assert "***" in (evidence.folder / "results" / "small" / "ledger.jsonl").read_text()
    for path in files:
        data = path.read_bytes()
        assert [word for word in WORDS if word in data] == [], path
    for path, data in evidence.logs.items():
        assert [word for word in WORDS if word in data] == [], path
    assert bool(evidence.logs) == (evidence.workers > 1)


def test_no_process_that_a_run_starts_is_given_a_secret(evidence: Evidence) -> None:
    assert bool(evidence.environments) == (evidence.workers > 1)
    for line, environment in evidence.environments.items():
        assert [word for word in WORDS if word in environment] == [], line
        assert b"RAY_ADDRESS=" not in environment


def test_a_run_listens_nowhere_and_ray_answers_nobody_without_the_token(evidence: Evidence) -> None:
    if evidence.workers == 1:
        assert evidence.sockets == {}
        return
    assert len(evidence.answers) >= 6, evidence.sockets  # the driver, GCS, raylet (2), two workers, an agent
    for address, (line, statuses) in evidence.answers.items():
        who = evidence.sockets[address]
        if line:
            assert line == b"HTTP/1.1 401 Unauthorized", (who, line)
            continue
        assert statuses == {REFUSED, UNKNOWN}, (who, statuses)
    unasked = set(evidence.sockets) - set(evidence.answers)
    assert not unasked, [evidence.sockets[address] for address in unasked]


def test_the_folder_of_a_cluster_is_its_user_s_alone(evidence: Evidence) -> None:
    if evidence.workers == 1:
        assert evidence.modes == {}
        return
    token = evidence.modes.pop("token")
    assert token == 0o600
    assert set(evidence.modes.values()) == {0o700}, evidence.modes
