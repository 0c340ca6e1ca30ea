"""Read YAML into plain values, remembering where each of them stood.

YAML 1.2 in its core schema and no more of it: `1e-4` is a number, `no` is a word, a key is the text it is
written as. Tags, anchors, directives and second documents are refused: a spec is data and needs none of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from harness.errors import Fault, SpecError
from harness.spec.words import Path, dotted, escape

SIZE = 128 * 1024  # bytes; the parser reads about 80 kB a second, and a long suite takes 10 kB
DEPTH = 16

_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_BRACKETS = re.compile(r""""(?:[^"\\]|\\.)*"|'[^']*'|[\[\]{}]""")


_NODES = (AliasEvent, ScalarEvent, MappingStartEvent, SequenceStartEvent)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: a file, or a `--set` argument, with line and column counted from 1."""

    file: str
    line: int = 0
    column: int = 0

    def fault(self, message: str) -> Fault:
        """Return a fault at this place."""
        return Fault(file=self.file, line=self.line, column=self.column, message=message)


@dataclass(slots=True)
class Source:
    """Plain values with the places of keys and values; `faults` are those that do not stop the reading."""

    value: object = None
    keys: dict[Path, Place] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def parse(data: bytes, file: str) -> Source:
    """Return what a YAML document says; raises `SpecError` where it cannot be read to its end."""
    text = _decode(data, file)
    _refuse_depth(text, file)
    reader = _Reader(file=file)
    try:
        reader.read(YAML(typ="safe", pure=True).parse(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
        raise SpecError([place.fault(_explain(error))]) from None
    except YAMLError as error:
        raise SpecError([_locate_control(text, file, error)]) from None
    return reader.source


def read_scalar(text: str) -> object:
    """Return the value of a plain scalar in YAML's core schema."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text) and len(text) < 400:
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


@dataclass(slots=True)
class _Reader:
    """Builds plain values from the parser's events; recursion is bounded by DEPTH."""

    file: str
    source: Source = field(default_factory=Source)

    def read(self, events: Iterator[Event]) -> None:
        documents = 0
        for event in events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._complain(event, "a second document begins here; a spec is one document")
                    return
                if event.version or event.tags:
                    self._complain(event, "directives (%) are not used in a spec")
            elif isinstance(event, _NODES):
                self.source.value = self._node(event, events, ())
            elif isinstance(event, StreamEndEvent) and not documents:
                self.source.values[()] = Place(self.file, 1, 1)

    def _node(self, event: Event, events: Iterator[Event], path: Path) -> object:
        self.source.values[path] = self._place(event)
        if isinstance(event, AliasEvent):
            self._complain(
                event, f"'*{escape(str(event.anchor))}': aliases are not used, write the value out"
            )
            # What follows in an alias bomb would be one fault for each of its aliases.
            raise SpecError(self.source.faults)
        assert isinstance(event, (ScalarEvent, MappingStartEvent, SequenceStartEvent))
        if event.anchor is not None:
            self._complain(
                event, f"'&{escape(str(event.anchor))}': anchors are not used, write the value out"
            )
        if event.ctag is not None:
            tag = escape(str(event.ctag)).replace("tag:yaml.org,2002:", "!!")
            self._complain(event, f"'{tag}': tags are not used in a spec")
        if isinstance(event, ScalarEvent):
            if not event.value and path in self.source.keys:
                self.source.values[path] = self.source.keys[
                    path
                ]  # the mark of an empty value is where it ends
            return read_scalar(event.value) if event.style is None and event.ctag is None else event.value
        if len(path) >= DEPTH:
            raise SpecError([self._place(event).fault(f"nested deeper than {DEPTH} levels")])
        if isinstance(event, MappingStartEvent):
            return self._mapping(events, path)
        assert isinstance(event, SequenceStartEvent)
        return self._sequence(events, path)

    def _mapping(self, events: Iterator[Event], path: Path) -> dict[str, object]:
        found: dict[str, object] = {}
        for event in events:
            if isinstance(event, MappingEndEvent):
                break
            if not isinstance(event, ScalarEvent):
                raise SpecError([self._place(event).fault("a key must be a word, not a list or a mapping")])
            key, repeated = event.value, event.value in found
            if repeated:
                first = self.source.keys[(*path, key)].line
                inside = f"{dotted(path)}: " if path else ""
                self._complain(
                    event, f"{inside}key '{escape(key)}' is repeated; the first is in line {first}"
                )
            here = (*path, f"{key}\0{event.start_mark.index}" if repeated else key)
            self.source.keys[here] = self._place(event)
            value = self._node(next(events), events, here)
            if not repeated:
                found[key] = value
        return found

    def _sequence(self, events: Iterator[Event], path: Path) -> list[object]:
        found: list[object] = []
        for event in events:
            if isinstance(event, SequenceEndEvent):
                break
            here = (*path, len(found))
            self.source.keys[here] = self._place(event)
            found.append(self._node(event, events, here))
        return found

    def _place(self, event: Event) -> Place:
        return Place(self.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _complain(self, event: Event, message: str) -> None:
        self.source.faults.append(self._place(event).fault(message))


def _decode(data: bytes, file: str) -> str:
    if len(data) > SIZE:
        message = f"is larger than {SIZE // 1024} kB; a spec names data and does not hold it"
        raise SpecError([Fault(file=file, message=message)])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        message = f"is not UTF-8 (byte 0x{data[error.start]:02x}); save the file as UTF-8"
        raise SpecError([Place(file, line, column).fault(message)]) from None


def _refuse_depth(text: str, file: str) -> None:
    """Refuse thousands of open brackets before the parser, whose look-ahead takes 10 s for 3,000 of them."""
    depth = 0
    for match in _BRACKETS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match[0], 0)
        if depth > 2 * DEPTH:
            line = text.count("\n", 0, match.start()) + 1
            column = match.start() - (text.rfind("\n", 0, match.start()) + 1) + 1
            raise SpecError([Place(file, line, column).fault(f"nested deeper than {DEPTH} levels")])


def _explain(error: MarkedYAMLError) -> str:
    problem = str(error.problem or error.context or "cannot be read")
    if "'\\t'" in problem:
        return "a tab; YAML is indented with blanks"
    if problem.startswith("mapping values are not allowed"):
        return (
            "a ':' that cannot stand here; check the line above, the indentation, or put the text in quotes"
        )
    if problem.startswith("could not find expected ':'"):
        return "a key without ':'"
    where = f" {error.context}" if error.context and error.context != problem else ""
    begin = f" that begins in line {error.context_mark.line + 1}" if where and error.context_mark else ""
    return f"not YAML: {escape(problem)}{escape(where)}{begin}"


def _locate_control(text: str, file: str, error: YAMLError) -> Fault:
    for number, line in enumerate(text.split("\n"), start=1):
        for column, char in enumerate(line, start=1):
            if not char.isprintable() and char not in "\t\r\u0085\u2028\u2029\ufeff\u00a0":
                return Place(file, number, column).fault(
                    f"the control character U+{ord(char):04X} is not allowed"
                )
    return Fault(file=file, message=f"not YAML: {escape(str(error).splitlines()[0])}")
