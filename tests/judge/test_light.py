"""Judging and reporting stay light: a table needs no training library."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "transformers", "ray", "optuna", "sklearn", "scipy", "rich", "pyarrow")


def test_ranking_and_reporting_load_nothing_heavy() -> None:
    code = (
        "import sys, harness.judge.rank, harness.judge.stats, harness.report.terminal, harness.report.write; "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
