"""The user's own command, told what became of a run."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from harness.cli.notify import Notifier, open_notifier, parse_command, tell_fault
from harness.errors import SpecError, StorageError

KEEP = """
import json, os, sys
names = ("EVENT", "SUITE", "FOLDER", "MESSAGE", "EXIT_CODE")
facts = {name: os.environ["HARNESS_" + name] for name in names}
with open(sys.argv[1], "a") as file:
    file.write(json.dumps(facts | {"stdin": sys.stdin.read(), "arguments": sys.argv[2:]}) + "\\n")
"""


class Told:
    """A command that keeps what it was told, and what was said of it."""

    def __init__(self, folder: Path, code: str = KEEP, limit_s: float = 20.0) -> None:
        self.file = folder / "told"
        self.said: list[str] = []
        self.clock_s = 0.0
        facts = {"HARNESS_SUITE": "night", "HARNESS_FOLDER": "/results/night"}
        words = [sys.executable, "-c", code, str(self.file)]
        self.notifier = Notifier(words, facts, self.said.append, limit_s=limit_s, clock=lambda: self.clock_s)

    def messages(self) -> list[dict[str, object]]:
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        return [json.loads(line) for line in lines]


def test_the_end_is_told_with_its_facts(tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.notifier.tell_end("finished", "night is finished", 1)
    assert told.messages() == [
        {"EVENT": "finished", "SUITE": "night", "FOLDER": "/results/night", "MESSAGE": "night is finished",
         "EXIT_CODE": "1", "stdin": "night is finished\n", "arguments": []}
    ]  # fmt: skip
    assert told.said == []


def test_what_a_message_holds_is_never_part_of_the_command(tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.notifier.tell_trouble('"; touch /tmp/x; $(touch x) \0 \ud800 `id` %s {0} \x1b[2J')
    told.notifier.tell_end("failed", "end", 70)
    first, _ = told.messages()
    assert first["arguments"] == []
    assert first["MESSAGE"] == '"; touch /tmp/x; $(touch x)   ? `id` %s {0} \x1b[2J'


def test_the_same_trouble_is_told_once_and_one_within_a_minute_is_counted_in_the_next_message(
    tmp_path: Path,
) -> None:
    told = Told(tmp_path)
    for step in range(50):
        told.notifier.tell_trouble(f"loss not finite at step {step}")
    told.clock_s = 30.0
    told.notifier.tell_trouble("out of memory")
    told.clock_s = 61.0
    told.notifier.tell_trouble("metric undefined")
    told.notifier.tell_end("finished", "end", 0)
    assert [message["MESSAGE"] for message in told.messages()] == [
        "loss not finite at step 0",
        "metric undefined (and 1 more troubles: see the log)",
        "end",
    ]


def test_trouble_is_told_beside_the_run_and_the_end_is_waited_for(tmp_path: Path) -> None:
    told = Told(tmp_path, "import time; time.sleep(2)\n" + KEEP)
    began_s = time.monotonic()
    told.notifier.tell_trouble("out of memory")
    assert time.monotonic() - began_s < 1.5
    told.notifier.tell_end("finished", "end", 0)
    assert [message["EVENT"] for message in told.messages()] == ["trouble", "finished"]


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("import sys; print('dropped'); sys.exit('no such mailbox')", "ended with 1: no such mailbox"),
        ("import time; time.sleep(60)", "was ended, for it took longer than 0.5 s"),
    ],
)
def test_a_command_that_fails_is_told_in_one_line(tmp_path: Path, code: str, fault: str) -> None:
    told = Told(tmp_path, code, limit_s=0.5 if "longer" in fault else 20.0)
    told.notifier.tell_end("finished", "end", 0)
    assert told.said == [f"--notify-cmd: '{sys.executable}' {fault}; the run is as it was"]


@pytest.mark.parametrize("command", ["mail 'x", "no-such-program x", "  "])
def test_a_command_that_cannot_be_run_is_refused_before_the_night(command: str) -> None:
    with pytest.raises(SpecError, match="--notify-cmd"):
        parse_command(command)


def test_a_command_is_split_as_a_shell_would() -> None:
    assert parse_command("sh -c 'mail -s \"a b\"'") == ["sh", "-c", 'mail -s "a b"']


def test_without_a_command_nobody_is_told(tmp_path: Path) -> None:
    said: list[str] = []
    notifier = open_notifier("", suite="night", folder=tmp_path, say=said.append)
    notifier.tell_trouble("trouble")
    notifier.tell_end("finished", "end", 0)
    assert said == []


@pytest.mark.parametrize(
    ("fault", "message", "code"),
    [(StorageError("disk full"), "disk full", "4"), (RuntimeError("ours"), "RuntimeError: ours", "70")],
)
def test_what_ends_a_run_by_force_is_told(tmp_path: Path, fault: Exception, message: str, code: str) -> None:
    told = Told(tmp_path)
    with pytest.raises(type(fault)), tell_fault(told.notifier):
        raise fault
    (sent,) = told.messages()
    assert (sent["EVENT"], sent["MESSAGE"], sent["EXIT_CODE"]) == ("failed", message, code)


def test_an_end_that_a_person_asked_for_before_folds_ran_is_not_told(tmp_path: Path) -> None:
    told = Told(tmp_path)
    with pytest.raises(KeyboardInterrupt), tell_fault(told.notifier):
        raise KeyboardInterrupt
    assert told.messages() == []
