"""The reference of a spec: every key, its type, its default and its sentence, as Markdown."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from harness import plugins
from harness.spec.models import PATTERNS, Backbone, Budget, Compute, Search, Spec
from harness.spec.options import (
    FILES,
    ArmOptions,
    Confirm,
    DataOptions,
    EarlyStopping,
    Keys,
    Nested,
    Protocol,
    TaskOptions,
)
from harness.spec.ranges import Choice, Span, Unit, as_yaml
from harness.spec.shape import strip

_WORDS = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`"}
_SECTIONS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("The suite", Spec),
    ("backbones", Backbone),
    ("tasks", TaskOptions),
    ("data", DataOptions),
    ("arms", ArmOptions),
    ("early_stopping", EarlyStopping),
    ("protocol", Protocol),
    ("confirm", Confirm),
    ("nested", Nested),
    ("search", Search),
    ("budget", Budget),
    ("compute", Compute),
)


def spec_reference() -> str:
    """Return the reference of all keys, with every plug-in known to this process."""
    parts: list[str] = []
    for title, model in _SECTIONS:
        parts += [f"## {title}", _sentence(model), _table(model, set())]
        if title == "tasks":
            parts += _plugin_parts("tasks", "type", TaskOptions)
        elif title == "data":
            parts += _plugin_parts("readers", "reader", DataOptions)
        elif title == "arms":
            parts += _plugin_parts("methods", "method", ArmOptions)
    return "\n\n".join(parts) + "\n"


def _plugin_parts(kind: plugins.Kind, word: str, base: type[Keys]) -> Iterator[str]:
    """Yield what each plug-in adds to the keys that all of its kind share."""
    for name in plugins.names(kind):
        options: type[BaseModel] = plugins.find(kind, name).Options
        yield f"### {word} `{name}`"
        yield _sentence(options)
        table = _table(options, set(base.model_fields))
        if table:
            yield table


def _table(model: type[BaseModel], known: set[str]) -> str:
    rows = [
        f"| `{key}` | {spell_type(field)} | {_default(field)} | {_cell(field.description or '')} |"
        for key, field in model.model_fields.items()
        if key not in known
    ]
    return "\n".join(("| key | type | default | |", "|---|---|---|---|", *rows)) if rows else ""


def spell_type(field: FieldInfo) -> str:
    """Return what a field may hold, in words."""
    return _cell(_spell(field.annotation, field.metadata))


def _spell(annotation: Any, metadata: list[Any]) -> str:
    unit = next((item for item in metadata if isinstance(item, Unit)), None)
    if unit:
        ranges = [f"`{{{scale}: [low, high]}}`" for scale in unit.scales]
        return f"{unit.words}; or searched: {', '.join([*ranges, '`{choice: [...]}`'])}"
    if hasattr(annotation, "__metadata__"):
        inner = [part for item in annotation.__metadata__ for part in _constraints(item)]
        return _spell(annotation.__origin__, [*inner, *metadata])
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{word}`" for word in inside)
    if origin in (Union, types.UnionType):
        return " or ".join(_spell(option, metadata) for option in inside if option is not types.NoneType)
    if origin is tuple:
        length = "" if ... in inside else f" of {len(inside)}"
        return f"list{length}: {_spell(inside[0], [])}"
    if origin is dict:
        return "names, each with a mapping"
    inner_type = strip(annotation)
    if isinstance(inner_type, type) and issubclass(inner_type, BaseModel):
        return "mapping"
    return _bound("path" if FILES in metadata else _WORDS.get(inner_type, str(inner_type)), metadata)


def _constraints(item: Any) -> list[Any]:
    return list(item.metadata) if isinstance(item, FieldInfo) else [item]


def _bound(words: str, metadata: list[Any]) -> str:
    for item in metadata:
        if isinstance(item, Ge):
            words += f", at least {item.ge}"
        elif isinstance(item, Gt):
            words += f", above {item.gt}"
        elif isinstance(item, Le):
            words += f", at most {item.le}"
        elif isinstance(item, Lt):
            words += f", below {item.lt}"
        elif getattr(item, "pattern", None) in PATTERNS:
            words = PATTERNS[item.pattern]
    return words


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is None:
        return ""
    if isinstance(value, BaseModel):
        return "its defaults"
    if isinstance(value, (Span, Choice)):
        return f"`{as_yaml(value)}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(value)}]`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`" if value != "" else ""


def _sentence(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
