"""Which plug-in a part of a spec names."""

from __future__ import annotations

from collections.abc import Mapping

from harness import plugins
from harness.errors import did_you_mean
from harness.spec.options import ArmOptions, DataOptions, TaskOptions
from harness.spec.words import join_words, show


def reader_of(raw: object) -> str | None:
    """Return the reader that a `data` mapping names by a key, None where it names none or several."""
    if isinstance(raw, DataOptions):
        return next(name for name in plugins.names("readers") if name in type(raw).model_fields)
    named = _sources(raw) if isinstance(raw, Mapping) else []
    return named[0] if len(named) == 1 else None


def task_type_of(raw: object) -> str | None:
    """Return the task type that a task names."""
    if isinstance(raw, TaskOptions):
        return raw.type
    return _word(raw, "type")


def method_of(raw: object) -> str | None:
    """Return the tuning method that an arm names, `full` where it names none."""
    if isinstance(raw, ArmOptions):
        return raw.method
    return _word({"method": "full"} | raw, "method") if isinstance(raw, dict) else None


def explain_choice(kind: plugins.Kind, raw: object) -> str:
    """Return why no plug-in could be chosen for a part of a spec."""
    if not isinstance(raw, Mapping):
        defaults = "; {} stands for the defaults" if kind == "methods" and raw is None else ""
        return f"must be a mapping of keys to values (got {show(raw)}{defaults})"
    if kind == "readers":
        return _explain_source(raw)
    key = "type" if kind == "tasks" else "method"
    known = plugins.names(kind)
    if key not in raw:
        return f"needs the key '{key}': {join_words(list(known))}"
    hint = did_you_mean(str(raw[key]), known) or f" Known: {', '.join(known)}."
    return f"unknown {key} {show(raw[key])}.{hint}"


def _explain_source(raw: Mapping[str, object]) -> str:
    known = list(plugins.names("readers"))
    named = _sources(raw)
    if named:
        return f"names {len(named)} sources, {' and '.join(named)}; give one"
    other = [key for key in raw if key not in DataOptions.model_fields]
    hint = next((hint for key in other if (hint := did_you_mean(key, known))), "")
    if hint:
        return f"names no source (got {show(other[0])}).{hint}"
    return f"names no source; give one of {', '.join(known)}"


def _sources(raw: Mapping[str, object]) -> list[str]:
    return [name for name in plugins.names("readers") if name in raw]


def _word(raw: object, key: str) -> str | None:
    word = raw.get(key) if isinstance(raw, Mapping) else None
    return word if isinstance(word, str) else None
