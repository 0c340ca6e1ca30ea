"""Lay `--set a.b=1e-4` over what a spec says."""

from __future__ import annotations

from harness.errors import SpecError
from harness.spec.source import Place, Source, parse
from harness.spec.words import Path, dotted, escape


def apply(override: str, source: Source) -> None:
    """Put the value of `KEY=VALUE` at its key; the value is YAML: `{log: [1e-4, 1e-2]}` is a range."""
    place = Place(f"--set {escape(override)}")
    keys, equals, text = override.partition("=")
    if not equals or not keys.strip():
        source.faults.append(place.fault("must look like KEY=VALUE"))
        return
    try:
        value = parse(text.encode(), place.file)
    except SpecError as error:
        source.faults += [place.fault(fault.message) for fault in error.faults]
        return
    source.faults += [place.fault(fault.message) for fault in value.faults]
    _put(keys.strip().split("."), value.value, place, source)


def _put(words: list[str], value: object, place: Place, source: Source) -> None:
    here: object = source.value
    path: Path = ()
    while words:
        if not isinstance(here, dict):
            source.faults.append(place.fault(f"{dotted(path) or 'the spec'} is no mapping of keys to values"))
            return
        key, words = _take_key(words, here)
        path = (*path, key)
        if not words:
            _forget(path, source)
            source.keys[path] = source.values[path] = place
            here[key] = value
            return
        if here.get(key) is None:
            here[key] = {}
            source.keys[path] = source.values[path] = place
        here = here[key]


def _take_key(words: list[str], here: dict[str, object]) -> tuple[str, list[str]]:
    """Return the next key and the words behind it; names may hold dots, and a known one goes first."""
    for end in range(len(words), 0, -1):
        if ".".join(words[:end]) in here:
            return ".".join(words[:end]), words[end:]
    return words[0], words[1:]


def _forget(path: Path, source: Source) -> None:
    """Forget the places below a key whose value is replaced."""
    for places in (source.keys, source.values):
        for known in [known for known in places if known[: len(path)] == path]:
            del places[known]
