"""Control: the same network without its pretraining, searched as hard as the arms are."""

from __future__ import annotations

from collections.abc import Mapping

from harness.candidate import list_depths, resolve_space
from harness.spec.options import ArmOptions


def make_scratch(arms: Mapping[str, ArmOptions], blocks: int) -> ArmOptions:
    """Return the arm that a network of random weights is searched by: the ranges of the arm that trains the most.

    That is the arm with the least freeze_depth it may take, the first of several. Nothing is frozen; BatchNorm is
    trained, for its statistics are those of no data yet; and the method trains all, whatever the arm's own would.
    """
    chosen = min(arms.values(), key=lambda arm: _find_least_depth(arm, blocks))
    shared = {name: getattr(chosen, name) for name in ArmOptions.model_fields}
    return ArmOptions(**shared | {"method": "full", "freeze_depth": 0, "batch_norm": "trained"})


def _find_least_depth(arm: ArmOptions, blocks: int) -> int:
    return list_depths(dict(resolve_space(arm, blocks).values)["freeze_depth"])[0]
