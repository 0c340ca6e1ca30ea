"""What pydantic found, in our own words and at the line where it stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from harness.errors import Fault, did_you_mean
from harness.spec.choose import explain_choice
from harness.spec.models import PATTERNS
from harness.spec.shape import Spot, homes_of, locate
from harness.spec.source import Place, Source
from harness.spec.words import Path, dotted, escape, join_words, show

_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "a mapping of keys to values",
    "finite_number": "a finite number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_attributes_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "string_type": "a text",
    "tuple_type": "a list",
}
_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}


def describe(error: ValidationError, model: type[BaseModel], source: Source) -> list[Fault]:
    """Return every fault that pydantic found, one for each place."""
    faults: list[Fault] = []
    alternatives: dict[Path, list[ErrorDetails]] = defaultdict(list)
    for detail in error.errors(include_url=False):
        if detail["loc"][-1:] == ("[key]",):
            faults.append(_describe_name(detail, source))
            continue
        spot = locate(model, detail["loc"])
        if spot.alternative:
            alternatives[spot.path].append(detail)
            continue
        faults.append(_describe_one(detail, spot, model, source))
    faults += [_describe_alternatives(path, details, source) for path, details in alternatives.items()]
    return faults


def place_of(path: Path, source: Source, *, key: bool = False) -> Place:
    """Return where a value (or its key) stands, or the nearest thing around it."""
    places = source.keys if key else source.values
    for end in range(len(path), -1, -1):
        for known in (places, source.keys, source.values):
            if path[:end] in known:
                return known[path[:end]]
    return source.values[()]


def value_at(path: Path, source: Source) -> object:
    """Return the value at a path, None where there is none."""
    value: object = source.value
    for part in path:
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def _describe_one(detail: ErrorDetails, spot: Spot, model: type[BaseModel], source: Source) -> Fault:
    path, kind = spot.path, detail["type"]
    if kind == "extra_forbidden":
        return place_of(path, source, key=True).fault(_inside(path) + _describe_unknown(path, spot, model))
    if kind == "missing":
        place = place_of(path[:-1], source, key=True)
        return place.fault(f"{_inside(path)}needs the key '{path[-1]}'")
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _describe_choice(path, source)
    text = _expect(detail)
    got = show(value_at(path, source))
    hint = _hint(detail, value_at(path, source))
    subject = dotted(path) or "a spec"
    place = place_of(path, source)
    if kind == "value":
        words = detail["msg"]
        return place.fault(f"{subject} {words}" if words.startswith("must ") else f"{subject}: {words}")
    if kind == "too_short":
        return place.fault(f"{subject} {text}")
    return place.fault(f"{subject} must be {text} (got {got}){hint}")


def _describe_name(detail: ErrorDetails, source: Source) -> Fault:
    *here, name = detail["loc"][:-1]
    place = place_of((*here, name), source, key=True)
    return place.fault(f"{dotted(tuple(here))}: the name {show(name)} must be {_expect(detail)}")


def _describe_alternatives(path: Path, details: Iterable[ErrorDetails], source: Source) -> Fault:
    words = list(dict.fromkeys(_expect(detail) for detail in details))
    got = show(value_at(path, source))
    return place_of(path, source).fault(f"{dotted(path)} must be {join_words(words)} (got {got})")


def _describe_unknown(path: Path, spot: Spot, model: type[BaseModel]) -> str:
    word = str(path[-1])
    known = list(spot.model.model_fields) if spot.model else []
    hint = did_you_mean(word, known)
    homes = [] if hint else list(homes_of(word, model))
    if homes:
        hint = f" It belongs under '{homes[0]}'."
    return f"unknown key '{escape(word)}'.{hint or ' Known: ' + ', '.join(known) + '.'}"


def _describe_choice(path: Path, source: Source) -> Fault:
    kind = "readers" if path[-1] == "data" else "tasks" if path[0] == "tasks" else "methods"
    raw = value_at(path, source)
    key = {"tasks": "type", "methods": "method", "readers": ""}[kind]
    wrong = isinstance(raw, Mapping) and key in raw
    place = place_of((*path, key), source) if wrong else place_of(path, source, key=isinstance(raw, Mapping))
    words = explain_choice(kind, raw)  # type: ignore[arg-type]  # one of the three kinds above
    return place.fault(f"{dotted(path)} {words}" if words.startswith("must ") else f"{dotted(path)}: {words}")


def _expect(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "literal_error":
        return str(context["expected"])
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return (
            f"{words} {context[bound]:g}"
            if isinstance(context[bound], float)
            else f"{words} {context[bound]}"
        )
    if kind == "string_pattern_mismatch":
        return PATTERNS.get(str(context["pattern"]), f"like {context['pattern']}")
    if kind in ("too_short", "too_long"):
        return "must not be empty" if context.get("min_length") == 1 else f"a list of {_length(context)}"
    if kind == "missing":  # an item of a list that has a fixed length
        return "a longer list"
    return _EXPECTED.get(kind, detail["msg"])


def _length(context: Mapping[str, object]) -> object:
    return context.get("min_length", context.get("max_length"))


def _hint(detail: ErrorDetails, value: object) -> str:
    if detail["type"] != "literal_error":
        return ""
    if not isinstance(value, str):
        return ""
    words = [word.strip("'") for word in str(detail["ctx"]["expected"]).replace(" or ", ", ").split(", ")]
    hint = did_you_mean(value, words)
    return f".{hint}" if hint and value not in words else ""


def _inside(path: Path) -> str:
    return f"{dotted(path[:-1])}: " if path[:-1] else ""
