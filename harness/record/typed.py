"""Whether a value that was read holds what its fields are declared to hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from functools import lru_cache
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

Value = TypeVar("Value")
Declared = tuple[tuple[str, tuple[type, ...], tuple[object, ...]], ...]


def check_types(value: Value) -> Value:
    """Return a value of a dataclass as it is; raises `TypeError` where a field holds what it is not declared to."""
    kind: Any = type(value)  # a type is hashable, which mypy does not know of every one
    for name, types, words in _declare(kind):
        found = getattr(value, name)
        if not isinstance(found, types) and found not in words:
            raise TypeError(f"'{name}' is a {type(found).__name__}")
    return value


@lru_cache  # looked up for each of 25,000 lines
def _declare(kind: Any) -> Declared:
    """Return the fields of a dataclass, each with the types and the words that it may hold."""
    hints = get_type_hints(kind)
    kinds = {field.name: tuple(_list_kinds(hints[field.name])) for field in fields(kind)}
    return tuple(
        (
            name,
            tuple(each for each in found if isinstance(each, type)),
            tuple(each for each in found if not isinstance(each, type)),
        )
        for name, found in kinds.items()
    )


def _list_kinds(hint: Any) -> Iterator[object]:
    """Yield the types and the words of a hint: of `str | None`, `float`, `tuple[str, ...]`, `Literal["ok"]`."""
    origin = get_origin(hint)
    if origin is Literal:
        yield from get_args(hint)
    elif origin is None:
        yield from (int, float) if hint is float else (hint,)
    elif isinstance(origin, type) and origin is not UnionType:
        yield origin
    else:
        for each in get_args(hint):
            yield from _list_kinds(each)
