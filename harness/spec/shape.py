"""The shape of the spec's model: which part of it lies at which path."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, Tag

from harness.spec.words import Path

Type = Any  # an annotation: a type, or what typing makes of types
_UNIONS = (Union, types.UnionType)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where an error of pydantic points: a path without union tags, and the model that holds its end."""

    path: Path
    model: type[BaseModel] | None  # None where the path ends in no field of a model
    alternative: bool  # whether the location ended in one of several types that a value might have had


def locate(model: type[BaseModel], location: Path) -> Spot:
    """Return the spot of a pydantic location, in which the tags of unions stand between the keys."""
    here: Type = model
    holder: type[BaseModel] | None = model
    path: list[str | int] = []
    for element in location:
        tagged = tagged_types(here)
        if tagged:
            here = strip(tagged.get(str(element)))
            continue
        inner = strip(here)
        holder = inner if is_model(inner) else None
        here = _child(inner, element)
        if here is None and not is_model(inner):
            return Spot(tuple(path), holder, alternative=True)
        path.append(element)
    return Spot(tuple(path), holder, alternative=False)


def strip(annotation: Type) -> Type:
    """Return an annotation without `Annotated` and without None."""
    while True:
        if _origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
            continue
        if _origin(annotation) in _UNIONS:
            options = [option for option in get_args(annotation) if option is not types.NoneType]
            if len(options) == 1 and not _tag(options[0]):
                annotation = options[0]
                continue
        return annotation


def tagged_types(annotation: Type) -> dict[str, Type]:
    """Return the types of a union by tag; nothing where the annotation is no such union."""
    if _origin(annotation) is Annotated and not _tag(annotation):
        annotation = get_args(annotation)[0]
    options = get_args(annotation) if _origin(annotation) in _UNIONS else (annotation,)
    return {tag: option for option in options if (tag := _tag(option))}


def is_model(annotation: Type) -> bool:
    """Return whether an annotation is a part of a spec with keys of its own."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def homes_of(key: str, model: type[BaseModel]) -> Iterator[str]:
    """Yield the top-level parts of a spec in which `key` would be known."""
    for name, field in model.model_fields.items():
        inner = strip(field.annotation)
        if is_model(inner) and key in inner.model_fields:
            yield name


def _origin(annotation: Type) -> Type:
    return get_origin(annotation)


def _tag(annotation: Type) -> str | None:
    if _origin(annotation) is not Annotated:
        return None
    return next((item.tag for item in get_args(annotation)[1:] if isinstance(item, Tag)), None)


def _child(inner: Type, element: str | int) -> Type | None:
    if is_model(inner):
        field = inner.model_fields.get(str(element))
        if field is None:
            return None
        # a union keeps its tags in the annotation;
        # with one member only, pydantic has moved the tag to the metadata
        tag = next((item for item in field.metadata if isinstance(item, Tag)), None)
        return Annotated[field.annotation, tag] if tag else field.annotation
    origin, inside = _origin(inner), get_args(inner)
    if origin is dict and isinstance(element, str):
        return inside[1]
    if origin in (tuple, list) and isinstance(element, int):
        return (
            inside[0] if len(inside) == 1 or inside[1:] == (...,) else inside[min(element, len(inside) - 1)]
        )
    return None
