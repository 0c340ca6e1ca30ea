"""Importance: how much each searched value told a study's best trials from its others, kept in the run's folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.record.files import write_whole

IMPORTANCE = "importance.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """A study's searched values with their shares, which sum to 1, the largest first."""

    trials: int  # complete ones that it rests on
    shares: tuple[tuple[str, float], ...]  # empty: the trials do not tell
    key: str  # names the trials, their scores and the method


def read_importances(folder: Path) -> Mapping[str, Importance]:
    """Return what was kept, by study; nothing where there is none, or where it cannot be read."""
    try:
        kept = json.loads((folder / IMPORTANCE).read_text(encoding="utf-8"))
        return {
            study: Importance(
                trials=int(each["trials"]),
                shares=tuple((str(name), float(share)) for name, share in each["shares"]),
                key=str(each["key"]),
            )
            for study, each in kept.items()
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}  # made again from the ledger


def write_importances(folder: Path, found: Mapping[str, Importance]) -> None:
    """Keep what was found, whole or not at all."""
    described = {study: asdict(each) for study, each in sorted(found.items())}
    write_whole(folder / IMPORTANCE, (json.dumps(described, indent=1) + "\n").encode())
