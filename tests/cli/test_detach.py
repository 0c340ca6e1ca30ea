"""The command line that runs on by itself."""

from __future__ import annotations

import pytest

from harness.cli.detach import attach

VALUED = ("--set", "--notify-cmd")


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("--detach suite.yaml", "suite.yaml"),
        ("suite.yaml --offline --detach", "suite.yaml --offline"),
        ("--detach -- suite.yaml", "-- suite.yaml"),
        ("--detach --offline -- --detach", "--offline -- --detach"),
        ("suite.yaml --notify-cmd --detach --detach", "suite.yaml --notify-cmd --detach"),
        ("suite.yaml --set --detach=1 --detach", "suite.yaml --set --detach=1"),
        ("suite.yaml --set -- --detach", "suite.yaml --set --"),
        ("suite.yaml --notify-cmd=mail --detach", "suite.yaml --notify-cmd=mail"),
        ("suite.yaml --detach --set", "suite.yaml --set"),
    ],
)
def test_only_the_flag_itself_is_dropped(words: str, kept: str) -> None:
    assert attach(["run", *words.split()], VALUED) == ["run", "--quiet", *kept.split()]
