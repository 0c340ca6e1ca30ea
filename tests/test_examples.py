"""Examples: named by content, sampled by shares, kept together where they are twins."""

from __future__ import annotations

from collections import Counter

from harness.examples import (
    Examples,
    build_examples,
    describe_twins,
    digest_content,
    group_keys,
    name_clusters,
    take_sample,
)


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


def test_a_cluster_is_named_by_its_first_id_where_groups_do_not_say_as_much() -> None:
    def name(examples: Examples) -> tuple[str, ...] | None:
        return name_clusters(examples, group_keys(examples))

    assert name(build(["a", "b", "a", "c"], ["x"] * 4)) == ("r000", "r001", "r000", "r003")
    assert name(build(["a", "b", "b", "c", "d"], ["x"] * 5, ["g", "g", "h", "h", "i"])) == (
        *["r000"] * 4,
        "r004",
    )
    assert name(build(["a", "b"], ["x"] * 2)) is None
    assert name(build(["a", "a", "b"], ["x"] * 3, ["g", "g", "h"])) is None  # twins of one group


def test_content_is_named_without_ids_groups_and_order() -> None:
    first = build_examples(inputs=["a", "b"], targets=["x", "y"])
    same = build_examples(inputs=["b", "a"], targets=["y", "x"], ids=["1", "2"], groups=["g", "g"])
    assert digest_content(first) == digest_content(same)
    assert first.digest() != same.digest()
    others = (
        build_examples(inputs=["a", "b"], targets=["x", "x"]),
        build_examples(inputs=["a", "c"], targets=["x", "y"]),
        build_examples(inputs=["a", "b"], targets=["x", "y"], weights=[1.0, 2.0]),
    )
    assert len({digest_content(each) for each in (first, *others)}) == 4
    assert digest_content(build_examples(inputs=["a"], targets=["x"], weights=[1.0])) == digest_content(
        build_examples(inputs=["a"], targets=["x"])
    )


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
