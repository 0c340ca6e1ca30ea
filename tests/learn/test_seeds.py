"""Every random choice follows from the suite's seed, what it is for, and what it belongs to."""

from __future__ import annotations

from itertools import product

from harness.learn.seeds import Purpose, derive_seed

CONTENT = "0123456789abcdef"


def test_all_purposes_repeats_and_folds_have_seeds_of_their_own() -> None:
    numbers: list[tuple[int, ...]] = [(), *product(range(3)), *product(range(3), range(5))]
    numbers += [
        (*places, study, trial)
        for places in product(range(2), range(2))
        for study, trial in ((7, 0), (7, 1), (8, 0))
    ]
    seeds = [
        derive_seed(seed, purpose, content, *places)
        for seed in (0, 1, 2**40)
        for content in (CONTENT, CONTENT[::-1])
        for purpose in Purpose
        for places in numbers
    ]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_seed_is_the_same_in_every_version() -> None:
    """A golden value: results of one spec must stay comparable."""
    assert derive_seed(2026, Purpose.HEAD, CONTENT, 0, 1) == 2671642555379776191
