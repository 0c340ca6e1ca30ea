"""Seeds: every random choice follows from the suite's seed and from what the choice is for."""

from __future__ import annotations

import hashlib
from enum import IntEnum, unique

import numpy as np


@unique
class Purpose(IntEnum):
    """What randomness is for. Split, order and head are the same for all arms, so that arms are paired."""

    SPLIT = 1
    ORDER = 2
    HEAD = 3
    DROPOUT = 4  # the one purpose that also depends on the study and the trial
    STOPPING = 5
    SAMPLE = 6
    STRENGTH = 7  # of the baselines' regularization
    TEST = 8  # which examples are locked away
    OUTER = 9  # the outer folds of a nested protocol
    FRACTION = 10  # which part of the training rows a learning curve sees
    NETWORK = 11  # the random weights of a control


def derive_seed(seed: int, purpose: Purpose, content: str, *numbers: int) -> int:
    """Return a 63-bit seed for one purpose on one content, named by hex digits, at (repeat, fold, …)."""
    sequence = np.random.SeedSequence([seed, purpose, int(content, 16), *numbers])
    return int(sequence.generate_state(1, np.uint64)[0] >> 1)


def hash_name(seed: int, name: str) -> bytes:
    """Return what orders names as if drawn: whatever else there is, and in every library's version, the same."""
    return hashlib.sha256(f"{seed}\0{name}".encode("utf-8", "surrogatepass")).digest()
