"""Likeness: texts that are nearly those of others, found by MinHash over triples of words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.examples import Examples, Input, Media, group_keys

ALIKE = 0.9  # of the triples of words that two texts have together, at least this share is in both
MOST_TEXTS = 10_000  # of more, as many evenly spaced ones are looked at
MOST_WORDS = 100  # of a text are looked at; its length counts whole
BANDS, ROWS = 12, 5  # of a signature: of 40,000 pairs at .9 one is missed
NEAR = 0.75  # of a signature: what agrees less is not compared triple by triple
CHUNK = 50_000  # pairs

_PERSONAL = re.compile(r"(?:https?://|www\.)\S+|@\w+")
# Punctuation, digits and blanks, in ASCII, Latin-1, Unicode's general and CJK blocks. Smileys stay: they tell a mood.
_NOISE = re.compile(r"[\s!-@\[-`{-~\u00a1-\u00bf\u2000-\u206f\u3000-\u303f]+")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sketches:
    """What is compared of texts that hold words."""

    wholes: (
        np.ndarray
    )  # (texts,) int64, equal where texts are but for case, blanks, punctuation, digits and names
    lengths: np.ndarray  # (texts,) words
    triples: list[np.ndarray]  # of each text, distinct hashes
    signatures: np.ndarray  # (texts, BANDS * ROWS) uint64


def describe_likeness(examples: Examples) -> tuple[str, ...]:
    """Return what a person should know of texts that are nearly alike and that folds may part.

    Of pictures and sounds only equal ones are known.
    """
    if isinstance(examples.inputs[0], Media):
        return ()
    groups, count = group_keys(examples), len(examples)
    rows = np.linspace(0, count - 1, min(count, MOST_TEXTS)).astype(np.int64)
    pairs = rows[find_alike([examples.inputs[row] for row in rows], groups[rows])]
    if not len(pairs):
        return ()
    of = "" if len(rows) == count else f" of the {len(rows)} looked at"
    first, second = (examples.ids[row] for row in pairs[0])
    return (
        f"{len(np.unique(pairs))} examples{of} have nearly the text of another that may be in another fold, such as "
        f"{first} and {second}: give those that belong together one `group`",
    )


def find_alike(inputs: Sequence[Input], groups: np.ndarray) -> np.ndarray:
    """Return pairs of rows of different groups whose texts are nearly alike, (pairs, 2) int64, the lower row first.

    Two texts are alike if they are equal but for case, blanks, punctuation, digits, links and user names, or if they
    share nine of ten triples of words (Broder, "On the resemblance and containment of documents", 1997). Of many that
    are alike not every pair is given.
    """
    words = [_read_words(item) for item in inputs]
    kept = np.array([row for row, text in enumerate(words) if text], dtype=np.int64)
    if len(kept) < 2:
        return np.empty((0, 2), dtype=np.int64)
    sketches = _sketch([words[row] for row in kept])
    pairs = _pair_bands(sketches.signatures, groups[kept])
    close = np.array([_are_alike(sketches, first, second) for first, second in pairs.tolist()], dtype=bool)
    found: np.ndarray = kept[pairs[close]]
    return found


def _read_words(item: Input) -> list[str]:
    text = " ".join(item) if isinstance(item, tuple) else item
    assert isinstance(text, str)
    return _NOISE.sub(" ", _PERSONAL.sub(" ", text.casefold())).split()


def _sketch(texts: Sequence[list[str]]) -> _Sketches:
    numbers: dict[str, int] = {"": 0}
    wholes: dict[str, int] = {}
    triples = [
        np.unique(_hash_triples([numbers.setdefault(word, len(numbers)) for word in words[:MOST_WORDS]]))
        for words in texts
    ]
    return _Sketches(
        wholes=np.array([wholes.setdefault(" ".join(words), len(wholes)) for words in texts]),
        lengths=np.array([len(words) for words in texts]),
        triples=triples,
        signatures=_sign(triples),
    )


def _hash_triples(words: list[int]) -> np.ndarray:
    """Return a hash of each three words that follow each other, uint64; a text of fewer has one."""
    padded = np.array(words + [0] * (3 - len(words)), dtype=np.uint64)
    mixed = padded[:-2] * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(29))) + padded[1:-1] * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(31))) + padded[2:] * np.uint64(0x94D049BB133111EB)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0xD6E8FEB86659FD93)
    hashed: np.ndarray = mixed ^ (mixed >> np.uint64(32))
    return hashed


def _sign(triples: Sequence[np.ndarray]) -> np.ndarray:
    """Return the least hash of each text's triples under many hash functions, (texts, BANDS * ROWS) uint64."""
    flat = np.concatenate(triples)
    starts = np.cumsum([0, *map(len, triples)])[:-1]
    factors = np.random.default_rng(0).integers(2**63, size=(BANDS * ROWS, 2), dtype=np.uint64)
    signed = [
        np.minimum.reduceat(flat * (factor | np.uint64(1)) + shift, starts) for factor, shift in factors
    ]
    return np.stack(signed, axis=1)


def _pair_bands(signatures: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return pairs of texts of different groups that agree in a band and in most of the signature, (pairs, 2).

    Texts that agree are paired with the first of them and with the one before: pairs grow with texts, not with squares.
    """
    found = []
    weights = np.random.default_rng(1).integers(2**63, size=ROWS, dtype=np.uint64) | np.uint64(1)
    for start in range(0, BANDS * ROWS, ROWS):
        keys = (signatures[:, start : start + ROWS] * weights).sum(axis=1, dtype=np.uint64)
        order = np.argsort(keys, kind="stable")
        same = (
            np.flatnonzero(keys[order][1:] == keys[order][:-1]) + 1
        )  # places that agree with the one before
        begins = np.flatnonzero(np.r_[True, keys[order][1:] != keys[order][:-1]])
        first = begins[np.searchsorted(begins, same, side="right") - 1]
        found += [np.stack([order[other], order[same]], axis=1) for other in (first, same - 1)]
    pairs = np.unique(np.sort(np.concatenate(found), axis=1), axis=0)
    pairs = pairs[groups[pairs[:, 0]] != groups[pairs[:, 1]]]
    near = [
        (signatures[some[:, 0]] == signatures[some[:, 1]]).mean(axis=1) >= NEAR
        for some in np.array_split(pairs, len(pairs) // CHUNK + 1)
    ]
    chosen: np.ndarray = pairs[np.concatenate(near)]
    return chosen


def _are_alike(sketches: _Sketches, first: int, second: int) -> bool:
    if sketches.wholes[first] == sketches.wholes[second]:
        return True
    shorter, longer = sorted((int(sketches.lengths[first]), int(sketches.lengths[second])))
    one, other = sketches.triples[first], sketches.triples[second]
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shorter >= ALIKE * longer and shared >= ALIKE * (len(one) + len(other) - shared)
