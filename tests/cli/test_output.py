"""How much a run says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Answer, Place


def test_four_trials_print_fewer_than_forty_lines_without_a_terminal(
    suite: Place, harness: Callable[..., Answer]
) -> None:
    text = suite.spec.read_text(encoding="utf-8")
    one_task = text[: text.index("  score:")] + text[text.index("backbones:") :]
    one_arm = "".join(line for line in one_task.splitlines(keepends=True) if "  full:" not in line)
    suite.spec.write_text(one_arm.replace("trials: 1", "trials: 4"), encoding="utf-8")
    answer = harness("run", suite.spec, "--results", suite.results)
    assert answer.code == 0
    assert "4/6 trials" in answer.err or "6/6 trials" in answer.err
    assert len((answer.out + answer.err).splitlines()) < 40
