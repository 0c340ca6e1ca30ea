"""Which backbone, frozen how deep, tuned how, generalizes best - and is that difference real?

The public page: `load_spec`, `plan_suite`, `run_suite`, `rank_run`, `rank_scores`, `export_model`. Importing it loads
nothing heavy; the names arrive when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.judge.standings import rank_scores
    from harness.prospect import plan_suite
    from harness.runs import export_model, rank_run
    from harness.spec.load import load_spec
    from harness.suite import run_suite

__all__ = ["export_model", "load_spec", "plan_suite", "rank_run", "rank_scores", "run_suite"]

_HOMES = {
    "export_model": "harness.runs",
    "load_spec": "harness.spec.load",
    "plan_suite": "harness.prospect",
    "rank_run": "harness.runs",
    "rank_scores": "harness.judge.standings",
    "run_suite": "harness.suite",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'harness' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
