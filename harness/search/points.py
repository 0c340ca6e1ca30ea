"""The points of a search space that can be counted."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence

import numpy as np

from harness.candidate import Candidate, Space
from harness.errors import SpecError
from harness.plan import Study
from harness.spec.ranges import Choice, Scalar, Span, Value

LARGEST_GRID = 1_000_000


def hash_words(*words: object) -> int:
    """Return 32 bits that depend on the words alone, the same in every process."""
    text = "\0".join(map(str, words))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def is_drawn(space: Space, name: str, depth: Scalar) -> bool:
    """Tell whether a searched value means anything: where all blocks are frozen nothing trains at `backbone_lr`."""
    return name != "backbone_lr" or depth != space.blocks


def drawn_values(space: Space, candidate: Candidate) -> dict[str, Scalar]:
    """Return what was drawn for a candidate, by name in the order of suggestion."""
    extras = dict(candidate.extras)
    return {
        name: extras[name] if name in extras else getattr(candidate, name)
        for name in space.searched()
        if is_drawn(space, name, candidate.freeze_depth)
    }


def check_grids(studies: Sequence[Study]) -> None:
    """Raise SpecError where an arm cannot be searched point by point; says all reasons at once."""
    faults = {
        fault: None
        for study in studies
        if study.space is not None
        for fault in _grid_faults(study.arm, study.space)
    }
    if faults:
        raise SpecError("\n".join(faults))


def walk_points(space: Space, seed: int) -> Iterator[dict[str, Scalar]]:
    """Yield every point of a countable space once, in an order drawn by `seed`; a huge space in its own order."""
    names = space.searched()
    values = dict(space.values)
    options = [_options(values[name]) for name in names]
    count = math.prod(map(len, options))
    order: Sequence[int] | np.ndarray = range(count)
    if count <= LARGEST_GRID:
        order = np.random.default_rng(seed).permutation(count)
    for place in order:
        digits = _digits(int(place), options)
        point = {name: options[at][digit] for at, (name, digit) in enumerate(zip(names, digits, strict=True))}
        depth = point.get("freeze_depth", values["freeze_depth"])
        unused = {name for name in names if not is_drawn(space, name, depth)}  # type: ignore[arg-type]  # a scalar: fixed or drawn
        if all(digit == 0 for name, digit in zip(names, digits, strict=True) if name in unused):
            yield {name: value for name, value in point.items() if name not in unused}


def _grid_faults(arm: str, space: Space) -> Iterator[str]:
    values = {name: value for name, value in space.values if name in space.searched()}
    endless = [name for name, value in values.items() if _size(value) == math.inf]
    for name in endless:
        yield (
            f"arms.{arm}.{name}: sampler grid needs points, and this range has no end of them. Give "
            f"{{choice: […]}} or {{int: [low, high]}}, or use sampler tpe or random."
        )
    points = math.prod(_size(value) for value in values.values())
    if not endless and points > LARGEST_GRID:
        yield f"arms.{arm}: sampler grid would have {points} points; at most {LARGEST_GRID} are possible."


def _size(value: Value) -> float:
    if isinstance(value, Span) and value.scale != "int" and value.low != value.high:
        return math.inf
    return len(_options(value))


def _options(value: Value) -> Sequence[Scalar]:
    if isinstance(value, Choice):
        return value.options
    assert isinstance(value, Span), "a fixed value is not searched"
    if value.low == value.high:
        return (value.low,)
    assert value.scale == "int", "a continuous range has no list of points"
    return range(int(value.low), int(value.high) + 1)


def _digits(place: int, options: Sequence[Sequence[Scalar]]) -> list[int]:
    digits = []
    for choices in reversed(options):
        place, digit = divmod(place, len(choices))
        digits.append(digit)
    return digits[::-1]
