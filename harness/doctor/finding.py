"""Finding: one thing that was looked at, what it means, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found; `fail` is what would stop a run or make its numbers unsafe."""

    check: str
    state: State
    says: str
    remedy: str = ""  # what to do; empty where there is nothing to do


def praise(check: str, says: str) -> Finding:
    """Return a finding that is as it should be."""
    return Finding(check=check, state="ok", says=says)


def warn(check: str, says: str, remedy: str) -> Finding:
    """Return a finding that a run survives."""
    return Finding(check=check, state="warn", says=says, remedy=remedy)


def fail(check: str, says: str, remedy: str) -> Finding:
    """Return a finding that stops a run."""
    return Finding(check=check, state="fail", says=says, remedy=remedy)
