"""Values of a candidate that are fixed, or searched over a range."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from harness.spec.words import show

Number = int | float
Depth = int | Literal["half", "all"]
Scalar = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Span:
    """A range between two included ends, drawn uniformly on a `float`, `log` or `int` scale."""

    scale: Literal["float", "log", "int"]
    low: Number | Depth
    high: Number | Depth


@dataclass(frozen=True, slots=True)
class Choice:
    """A set of options, drawn uniformly."""

    options: tuple[Scalar, ...]


Value = Scalar | Span | Choice
"""What stands in a spec: a number or word as it is, or what to draw it from."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)  # typing hashes annotations
class Unit:
    """What one value of a candidate may be, in words, as a check that returns it or raises, and as JSON schema."""

    words: str
    check: Callable[[object], Scalar]
    scales: tuple[str, ...]
    schema: dict[str, object]


def as_yaml(value: Value) -> object:
    """Return a value as it is written in a spec."""
    if isinstance(value, Span):
        return {value.scale: [value.low, value.high]}
    if isinstance(value, Choice):
        return {"choice": list(value.options)}
    return value


def read_value(raw: object, unit: Unit) -> Value:
    """Return what a spec says about one value of a candidate: fixed, or searched."""
    if isinstance(raw, (Span, Choice)):
        return raw
    if not isinstance(raw, dict):
        return unit.check(raw)
    known = ", ".join((*unit.scales, "choice"))
    if len(raw) != 1 or not set(raw) <= {*unit.scales, "choice"}:
        raise _fault(f"must be {unit.words}, or one range out of {known} (got {show(raw)})")
    ((scale, body),) = raw.items()
    if scale == "choice":
        return _read_choice(body, unit)
    return _read_span(scale, body, unit)


def _read_choice(body: object, unit: Unit) -> Choice:
    if not isinstance(body, (list, tuple)) or not body:
        raise _fault(f"choice needs a list of options (got {show(body)})")
    options = tuple(unit.check(option) for option in body)
    if len(set(map(str, options))) < len(options):
        raise _fault(f"choice names an option twice: {show(body)}")
    return Choice(options)


def _read_span(scale: Literal["float", "log", "int"], body: object, unit: Unit) -> Span:
    if not isinstance(body, (list, tuple)) or len(body) != 2:
        raise _fault(f"{scale} needs two ends, [low, high] (got {show(body)})")
    low, high = (unit.check(end) for end in body)
    if scale == "int":
        for end in (low, high):
            if isinstance(end, float):
                raise _fault(f"int needs whole ends (got {show(end)})")
    if scale == "log" and isinstance(low, (int, float)) and low <= 0:
        raise _fault(f"log needs a low end above 0 (got {show(low)})")
    if _order(low) > _order(high):
        raise _fault(f"low end {show(low)} is above high end {show(high)}")
    assert not isinstance(low, bool)
    assert not isinstance(high, bool)
    return Span(scale, low, high)  # type: ignore[arg-type]  # the unit's check has refused other words


def _order(end: Scalar) -> float:
    """Place "half" and "all" above every number: how many blocks they are is known only with the backbone."""
    return {"half": math.inf, "all": math.inf}.get(end, math.nan) if isinstance(end, str) else float(end)


def _number(words: str, low: float, high: float, *, whole: bool, open_low: bool = False) -> Unit:
    def check(raw: object) -> Scalar:
        if isinstance(raw, bool) or not isinstance(raw, (int, float)) or not math.isfinite(raw):
            raise _fault(f"must be {words} (got {show(raw)})")
        if whole and not float(raw).is_integer():
            raise _fault(f"must be {words} (got {show(raw)})")
        if not low <= raw <= high or (open_low and raw == low):
            raise _fault(f"must be {words} (got {show(raw)})")
        return int(raw) if whole else float(raw)

    ends = {"exclusiveMinimum" if open_low else "minimum": low, "maximum": high}
    return Unit(
        words=words,
        check=check,
        scales=("int",) if whole else ("float", "log"),
        schema={"type": "integer" if whole else "number", **ends},
    )


def _word(*options: str) -> Unit:
    words = " or ".join(options)

    def check(raw: object) -> Scalar:
        if raw not in options:
            raise _fault(f"must be {words} (got {show(raw)})")
        assert isinstance(raw, str)
        return raw

    return Unit(words=words, check=check, scales=(), schema={"enum": list(options)})


def _depth() -> Unit:
    words = "a number of blocks from 0, 'half' or 'all'"

    def check(raw: object) -> Scalar:
        if raw in ("half", "all"):
            assert isinstance(raw, str)
            return raw
        if isinstance(raw, bool) or not isinstance(raw, int) or raw < 0:
            raise _fault(f"must be {words} (got {show(raw)})")
        return raw

    schema: dict[str, object] = {"anyOf": [{"type": "integer", "minimum": 0}, {"enum": ["half", "all"]}]}
    return Unit(words=words, check=check, scales=("int",), schema=schema)


def _searched(unit: Unit) -> tuple[Unit, BeforeValidator, PlainSerializer, WithJsonSchema]:
    """Return the annotations of a field that is fixed or searched."""
    ends = {"type": "array", "items": unit.schema, "minItems": 2, "maxItems": 2}
    options = {"type": "array", "items": unit.schema, "minItems": 1}
    ranges = [
        {"type": "object", "additionalProperties": False, "required": [scale], "properties": {scale: body}}
        for scale, body in (*((scale, ends) for scale in unit.scales), ("choice", options))
    ]
    return (
        unit,
        BeforeValidator(lambda raw: read_value(raw, unit)),
        PlainSerializer(as_yaml),
        WithJsonSchema({"anyOf": [unit.schema, *ranges]}),
    )


def _fault(message: str) -> PydanticCustomError:
    return PydanticCustomError("value", "{message}", {"message": message})


RATE = _number("a rate above 0 and at most 10", 0, 10, whole=False, open_low=True)
PENALTY = _number("a number from 0 to 10", 0, 10, whole=False)
SHARE = _number("a share from 0 up to 1", 0, 1, whole=False)
FACTOR = _number("a factor above 0 and at most 1", 0, 1, whole=False, open_low=True)
COUNT = _number("a whole number from 1 to 100000", 1, 100_000, whole=True)
NORM = _number("a norm above 0", 0, 1e6, whole=False, open_low=True)

Rate = Annotated[Value, *_searched(RATE)]
Penalty = Annotated[Value, *_searched(PENALTY)]
Share = Annotated[Value, *_searched(SHARE)]
Factor = Annotated[Value, *_searched(FACTOR)]
Count = Annotated[Value, *_searched(COUNT)]
Norm = Annotated[Value, *_searched(NORM)]
FreezeDepth = Annotated[Value, *_searched(_depth())]
ClassWeights = Annotated[Value, *_searched(_word("none", "balanced"))]
BatchNorm = Annotated[Value, *_searched(_word("fixed", "trained"))]
Schedule = Annotated[Value, *_searched(_word("linear", "cosine"))]
