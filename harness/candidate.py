"""One typed point of a search space, its digest, and the space it is a point of."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from harness.spec.options import ArmOptions
from harness.spec.ranges import Choice, Scalar, Span, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """How one model is tuned; rates are peak learning rates, `backbone_lr` is None where all blocks are frozen."""

    method: str
    freeze_depth: int
    head_lr: float
    backbone_lr: float | None
    layer_decay: float
    weight_decay: float
    dropout: float | None  # None: the checkpoint's own
    label_smoothing: float
    batch_norm: str
    epochs: int
    batch_size: int
    warmup: float
    schedule: str
    clip: float
    patience: int | None = None  # None: no early stopping
    stopping_share: float = 0.15
    class_weights: str = "none"  # none or balanced
    extras: tuple[tuple[str, Scalar], ...] = ()  # the keys that only this method has, by name

    def digest(self) -> str:
        """Return 16 hex digits that name this candidate by its values; one that came later counts off its default."""
        values = {name: getattr(self, name) for name in _NAMES}  # a tenth of what asdict takes
        if self.class_weights == "none":
            del values["class_weights"]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


_NAMES = tuple(field.name for field in fields(Candidate))


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """What an arm may vary on one backbone: every range has numbers for ends, depths are numbers of blocks."""

    method: str
    blocks: int
    values: tuple[tuple[str, Value], ...]  # by name, in the order in which they are suggested
    patience: int | None = None
    stopping_share: float = 0.15

    def searched(self) -> tuple[str, ...]:
        """Return the names of the values that are not fixed."""
        return tuple(name for name, value in self.values if isinstance(value, (Span, Choice)))


def resolve_space(arm: ArmOptions, blocks: int) -> Space:
    """Return the arm's space on a backbone of `blocks` blocks: `half` and `all` become numbers."""
    plain = [name for name in type(arm).model_fields if name not in ("method", "early_stopping")]
    plain.sort(
        key=lambda name: name != "freeze_depth"
    )  # the depth is suggested first: other values depend on it
    stopping = arm.early_stopping
    return Space(
        method=arm.method,
        blocks=blocks,
        values=tuple(
            (name, _in_blocks(getattr(arm, name), blocks) if name == "freeze_depth" else getattr(arm, name))
            for name in plain
        ),
        patience=stopping.patience if stopping else None,
        stopping_share=stopping.share if stopping else 0.15,
    )


def build_candidate(space: Space, drawn: Mapping[str, Scalar]) -> Candidate:
    """Return the candidate with the drawn values, and the space's fixed ones for all others."""
    values: dict[str, Any] = {name: drawn.get(name, value) for name, value in space.values}
    if values["freeze_depth"] == space.blocks:
        values["backbone_lr"] = None
    own = {field.name for field in fields(Candidate)}
    return Candidate(
        method=space.method,
        patience=space.patience,
        stopping_share=space.stopping_share,
        extras=tuple(sorted((name, value) for name, value in values.items() if name not in own)),
        **{name: value for name, value in values.items() if name in own},
    )


def count_candidates(space: Space) -> float:
    """Return how many distinct candidates a space holds, `inf` where a range is continuous."""
    depth = dict(space.values)["freeze_depth"]
    others = [value for name, value in space.values if name not in ("freeze_depth", "backbone_lr")]
    backbone = _points(dict(space.values)["backbone_lr"])
    depths = list_depths(depth)
    frozen = sum(d == space.blocks for d in depths)
    return math.prod(_points(value) for value in others) * (frozen + (len(depths) - frozen) * backbone)


def list_depths(depth: Value) -> tuple[int, ...]:
    """Return every number of blocks that a resolved depth may take, from the smallest."""
    if isinstance(depth, Span):
        return tuple(range(int(depth.low), int(depth.high) + 1))
    if isinstance(depth, Choice):
        return tuple(sorted({int(option) for option in depth.options}))
    return (int(depth),)


def _points(value: Value) -> float:
    if isinstance(value, Choice):
        return len(value.options)
    if not isinstance(value, Span) or value.low == value.high:
        return 1
    return int(value.high) - int(value.low) + 1 if value.scale == "int" else math.inf


def _in_blocks(depth: Value, blocks: int) -> Value:
    """Replace `half` and `all` by numbers of blocks; a depth below the head counts at most all blocks."""
    if isinstance(depth, Span):
        low, high = _count(depth.low, blocks), _count(depth.high, blocks)
        return Span("int", min(low, high), high)
    if isinstance(depth, Choice):
        return Choice(tuple(dict.fromkeys(_count(option, blocks) for option in depth.options)))
    return _count(depth, blocks)


def _count(depth: Scalar | None, blocks: int) -> int:
    if depth == "all":
        return blocks
    if depth == "half":
        return blocks // 2
    assert isinstance(depth, int)
    return min(depth, blocks)
