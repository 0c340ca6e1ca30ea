"""Examples: what a task learns from, read once and named by content."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

Modality = Literal["text", "image", "audio"]
Target = str | float


@dataclass(frozen=True, slots=True)
class Media:
    """An encoded picture or sound: a file, or the bytes of one; decoded where it is used."""

    file: Path | None = None
    data: bytes | None = None
    name: str = ""  # how messages call it

    def read_bytes(self) -> bytes:
        """Return the encoded bytes."""
        if self.data is not None:
            return self.data
        assert self.file is not None
        return self.file.read_bytes()


Input = str | tuple[str, str] | Media


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Rows in a stable order (by id), each with an input and, if it is labelled, a target.

    `targets` are words for classes and numbers for regression, as they stand in the source. `digests` hash the
    content of each row (input, target, group, weight, time, whether it is locked), never its place. `times` order
    the rows, dates in days. `locked` are the rows that the source itself sets apart for the test. `notes` say what a
    person should know of how the rows came about: dropped rows, twins among the labels.
    """

    ids: tuple[str, ...]
    inputs: tuple[Input, ...]
    targets: tuple[Target, ...]
    digests: tuple[str, ...]
    groups: tuple[str, ...] | None = None
    weights: tuple[float, ...] | None = None
    times: tuple[float, ...] | None = None
    locked: tuple[bool, ...] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def digest(self) -> str:
        """Return 16 hex digits that name the content of all rows by id, whatever their order was."""
        lines = (f"{name}\0{digest}" for name, digest in sorted(zip(self.ids, self.digests, strict=True)))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    def pick(self, rows: Sequence[int]) -> Examples:
        """Return the given rows, in the given order."""
        return replace(
            self,
            ids=tuple(self.ids[row] for row in rows),
            inputs=tuple(self.inputs[row] for row in rows),
            targets=tuple(self.targets[row] for row in rows),
            digests=tuple(self.digests[row] for row in rows),
            groups=None if self.groups is None else tuple(self.groups[row] for row in rows),
            weights=None if self.weights is None else tuple(self.weights[row] for row in rows),
            times=None if self.times is None else tuple(self.times[row] for row in rows),
            locked=None if self.locked is None else tuple(self.locked[row] for row in rows),
        )


def build_examples(
    *,
    inputs: Sequence[Input],
    targets: Sequence[Target],
    ids: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    weights: Sequence[float] | None = None,
    times: Sequence[float] | None = None,
    locked: Sequence[bool] | None = None,
    notes: Sequence[str] = (),
) -> Examples:
    """Return the rows sorted by id; a row without an id is named by its content, twins of it by `…-2`, `…-3`."""
    content = [_digest_input(item) for item in inputs]
    further = [
        column for column in (times, locked) if column is not None
    ]  # a row without them keeps its name
    digests = [
        _hash(
            content[row],
            targets[row],
            groups[row] if groups else "",
            weights[row] if weights else "",
            *(column[row] for column in further),
        )
        for row in range(len(inputs))
    ]
    names = list(ids) if ids is not None else _name_by_content(digests)
    examples = Examples(
        ids=tuple(names),
        inputs=tuple(inputs),
        targets=tuple(targets),
        digests=tuple(digests),
        groups=None if groups is None else tuple(groups),
        weights=None if weights is None else tuple(weights),
        times=None if times is None else tuple(times),
        locked=None if locked is None else tuple(locked),
        notes=tuple(notes),
    )
    return examples.pick(sorted(range(len(names)), key=names.__getitem__))


def take_sample(examples: Examples, count: int, seed: int, *, stratified: bool) -> Examples:
    """Return `count` examples, or all if there are fewer; class shares stay alike, the draw depends on ids and seed.

    Rows are ordered by a hash of (seed, id) inside their class, and classes take turns by how far each is behind
    its share, so that a larger sample contains every smaller one.
    """
    if count >= len(examples):
        return examples
    classes = [str(target) if stratified else "" for target in examples.targets]
    order = sorted(range(len(examples)), key=lambda row: _hash(seed, examples.ids[row]))
    totals, seen = Counter(classes), Counter[str]()
    place = {}
    for row in order:
        seen[classes[row]] += 1
        place[row] = (seen[classes[row]] - 0.5) / totals[classes[row]]
    chosen = sorted(order, key=place.__getitem__)[:count]
    return examples.pick(sorted(chosen))


def content_keys(examples: Examples) -> np.ndarray:
    """Return an index of each row's content, (rows,) int64: rows of equal content have the same."""
    numbers: dict[str, int] = {}
    keys = [numbers.setdefault(_digest_input(item), len(numbers)) for item in examples.inputs]
    return np.array(keys, dtype=np.int64)


def group_keys(examples: Examples) -> np.ndarray:
    """Return an index of what must share a fold, (rows,) int64: rows of one group, and rows of equal content."""
    leader: dict[str, str] = {}

    def find(key: str) -> str:
        while (above := leader.setdefault(key, key)) != key:
            key = above
        return key

    contents = [f"content:{_digest_input(item)}" for item in examples.inputs]
    groups = contents if examples.groups is None else [f"group:{group}" for group in examples.groups]
    for group, content in zip(groups, contents, strict=True):
        leader[find(content)] = find(group)
    roots = [find(content) for content in contents]
    numbers = {root: number for number, root in enumerate(dict.fromkeys(roots))}
    return np.array([numbers[root] for root in roots], dtype=np.int64)


def name_clusters(examples: Examples, keys: np.ndarray) -> tuple[str, ...] | None:
    """Return for each row the first id among the rows that share its key; None where groups or ids say as much.

    `keys` are those of `group_keys`: rows of equal content are one piece of evidence, whatever their ids are.
    """
    said = examples.ids if examples.groups is None else examples.groups
    if len(np.unique(keys)) == len(set(said)):  # a key never divides a group: as many of both are the same
        return None
    first: dict[int, str] = {}
    for key, name in zip(keys.tolist(), examples.ids, strict=True):
        first.setdefault(key, name)
    return tuple(first[key] for key in keys.tolist())


def digest_content(examples: Examples) -> str:
    """Return 16 hex digits that name what is learned, inputs, targets and weights, whatever its ids and groups are."""
    weights = examples.weights or (1.0,) * len(examples)
    rows = zip(examples.inputs, examples.targets, weights, strict=True)
    lines = sorted(_hash(_digest_input(item), target, weight) for item, target, weight in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def describe_twins(examples: Examples) -> tuple[str, ...]:
    """Return what a person should know of examples of equal content: how many, and which disagree on the target."""
    rows: dict[str, list[int]] = {}
    for row, item in enumerate(examples.inputs):
        rows.setdefault(_digest_input(item), []).append(row)
    twins = [same for same in rows.values() if len(same) > 1]
    torn = [same for same in twins if len({examples.targets[row] for row in same}) > 1]
    notes = []
    if twins:
        notes.append(f"{sum(map(len, twins))} examples have the content of another: they share its fold")
    if torn:
        shown = ", ".join(" and ".join(examples.ids[row] for row in same[:2]) for same in torn[:3])
        notes.append(f"{len(torn)} contents have more than one label, such as {shown}")
    return tuple(notes)


def _digest_input(item: Input) -> str:
    if isinstance(item, Media):
        return hashlib.sha256(item.read_bytes()).hexdigest()
    return _hash(*(item if isinstance(item, tuple) else (item,)))


def _hash(*parts: object) -> str:
    text = "\0".join(f"{type(part).__name__}:{part!r}" for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _name_by_content(digests: Sequence[str]) -> list[str]:
    seen = Counter[str]()
    names = []
    for digest in digests:
        seen[digest] += 1
        names.append(digest[:12] if seen[digest] == 1 else f"{digest[:12]}-{seen[digest]}")
    return names
