"""Memory: what bags said of some trials before, by the content that they were drawn from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np

from harness.judge.evidence import Measure
from harness.judge.stats import BBC
from harness.record.scores import FoldScore

CODE = (  # what decides what bags say
    "judge/bags.py",
    "judge/evidence.py",
    "judge/stats",
    "metrics",
    "record/predictions.py",
    "targets",
)
_HEAD = 5  # numbers of a BBC that stand before its bags


class Memory:
    """Answers of bags, known from an earlier judgement or given in this one; mutable.

    A key names the predictions of every fold by their hash, the metric and the code: what is recalled is what would be
    computed again. `has` tells whether a fold's predictions are still there: without them nothing is recalled, so that
    a folder that was copied without its predictions is judged alike, whatever it remembers.
    """

    def __init__(
        self,
        known: Mapping[str, np.ndarray] | None = None,
        *,
        has: Callable[[FoldScore], bool] = lambda fold: False,
    ) -> None:
        self._before = dict(known or {})
        self._known = dict(self._before)
        self._has = has
        self.used: dict[str, np.ndarray] = {}  # what was recalled or given, and is worth keeping

    @property
    def has_changed(self) -> bool:
        """Whether what was used is not what was known before."""
        return self.used.keys() != self._before.keys()

    def recall(self, key: str, folds: Sequence[FoldScore]) -> np.ndarray | None:
        """Return the numbers kept under a key, None where there are none or predictions of a fold are gone."""
        found = self._known.get(key)
        if found is None or not all(map(self._has, folds)):
            return None
        self.used[key] = found
        return found

    def keep(self, key: str, numbers: np.ndarray) -> None:
        """Keep numbers under a key."""
        self._known[key] = self.used[key] = numbers


def name_bags(measure: Measure, trials: Sequence[Sequence[FoldScore]], *, higher_is_better: bool) -> str:
    """Return the key of what bags say of the folds of some trials; empty where their content has no name."""
    hashes = [[fold.predictions_sha256 for fold in folds] for folds in trials]
    if not measure.name or any(sha256 is None for folds in hashes for sha256 in folds):
        return ""
    told = json.dumps([digest_code(), measure.name, higher_is_better, hashes])
    return hashlib.sha256(told.encode()).hexdigest()


def name_metric(metric: str, module: ModuleType) -> str:
    """Return what names a metric with its code; empty for a plug-in, whose helpers nobody here knows."""
    return metric if module.__name__.startswith("harness.metrics.") else ""


def pack_bags(bagged: BBC) -> np.ndarray:
    """Return what bags said as one row of numbers."""
    head = (bagged.estimate, bagged.low, bagged.high, bagged.raw_best, bagged.chosen)
    return np.concatenate([head, bagged.picked, bagged.inside, bagged.outside])


def unpack_bags(numbers: np.ndarray) -> BBC:
    """Return what `pack_bags` was given."""
    estimate, low, high, raw_best, chosen = numbers[:_HEAD].tolist()
    picked, inside, outside = numbers[_HEAD:].reshape(3, -1)
    return BBC(
        estimate=estimate,
        low=low,
        high=high,
        raw_best=raw_best,
        chosen=int(chosen),
        picked=picked.astype(np.int64),
        inside=inside,
        outside=outside,
    )


@cache
def digest_code() -> str:
    """Return what names the code that decides what bags say, and numpy, which draws them."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256(np.__version__.encode())
    for file in (file for part in CODE for file in _list_files(root / part)):
        digest.update(file.relative_to(root).as_posix().encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _list_files(part: Path) -> list[Path]:
    return [part] if part.suffix == ".py" else sorted(part.rglob("*.py"))
