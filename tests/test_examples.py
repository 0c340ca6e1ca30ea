"""Examples: named by content, sampled by shares, kept together where they are twins."""

from __future__ import annotations

from collections import Counter

from harness.examples import Examples, build_examples, describe_twins, group_keys, take_sample


def build(texts: list[str], targets: list[str | float], groups: list[str] | None = None) -> Examples:
    return build_examples(
        inputs=texts, targets=targets, groups=groups, ids=[f"r{row:03}" for row in range(len(texts))]
    )


def test_the_order_of_rows_changes_no_digest() -> None:
    forward = build_examples(inputs=["a", "b", "b"], targets=["x", "y", "z"])
    backward = build_examples(inputs=["b", "b", "a"], targets=["z", "y", "x"])
    assert forward.digest() == backward.digest()
    assert forward.digest() != build_examples(inputs=["a", "b", "c"], targets=["x", "y", "z"]).digest()


def test_twins_share_a_fold_with_and_without_groups() -> None:
    alone = group_keys(build(["a", "b", "a", "c"], ["x"] * 4))
    assert alone[0] == alone[2]
    assert len(set(alone)) == 3
    # r0 and r1 are one group; r2 is r1's twin; r3 is r2's group: all four belong together
    tied = group_keys(build(["a", "b", "b", "c", "d"], ["x"] * 5, ["g", "g", "h", "h", "i"]))
    assert len(set(tied[:4])) == 1
    assert tied[4] != tied[0]


def test_twins_are_counted_and_torn_ones_named() -> None:
    notes = describe_twins(build(["a", "a", "b", "b", "c"], ["x", "x", "x", "y", "y"]))
    assert notes == (
        "4 examples have the content of another: they share its fold",
        "1 contents have more than one label, such as r002 and r003",
    )
    assert describe_twins(build(["a", "b"], ["x", "y"])) == ()


def test_a_sample_keeps_the_shares_of_classes_that_are_numbers() -> None:
    examples = build([f"t{row}" for row in range(330)], [1.0] * 33 + [0.0] * 297)
    taken = take_sample(examples, 10, 7, stratified=True)
    assert Counter(taken.targets) == {0.0: 9, 1.0: 1}
    larger = take_sample(examples, 20, 7, stratified=True)
    assert set(taken.ids) < set(larger.ids)
    assert take_sample(examples, 400, 7, stratified=True) is examples
