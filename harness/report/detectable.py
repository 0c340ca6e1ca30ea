"""What a plan could find, in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.judge.detectable import MORE, Detectable
from harness.report import numbers
from harness.report.layout import sanitise, wrap

ANY = (-math.inf, math.inf)


def tell_detectable(found: Sequence[Detectable], width: int) -> list[str]:
    """Return in lines what differences the tasks' folds would find, what that rests on, and what more folds would."""
    known = [each for each in found if each.difference is not None]
    told = " · ".join(f"{_name(each)} {_show(each, each.difference)}" for each in known)
    lines = wrap(f"smallest difference you can detect: {told}", width, between=" · ") if known else []
    lines += [line for sentence in _tell_basis(known) for line in wrap(sentence, width)]
    better = [each for each in known if each.with_more is not None and _gains(each)]
    if better:
        told = " · ".join(f"{_name(each)} {_show(each, each.with_more)}" for each in better)
        lines += wrap(f"consider more folds; with {MORE}: {told}", width, between=" · ")
    for each in found:
        if each.difference is None:
            sentence = (
                f"smallest difference you can detect on {_name(each)}: {sanitise(each.metric)} on these folds needs "
                "a pilot, a few trials of two arms, to tell"
            )
            lines += wrap(sentence, width)
    return lines


def describe_detectable(found: Detectable) -> dict[str, object]:
    """Return it as a document; a difference that is not known or beyond the metric is null."""
    return {
        "task": found.task,
        "metric": found.metric,
        "difference": _finite(found.difference),
        "basis": found.basis,
        "folds": found.folds,
        "repeats": found.repeats,
        "with_10_folds": _finite(found.with_more),
        "sd": found.sd,
        "discordance": found.discordance,
        "effective_examples": found.effective,
    }


def _tell_basis(known: Sequence[Detectable]) -> list[str]:
    parts = []
    assumed = [each for each in known if each.basis == "assumed"]
    if assumed:
        parts.append(f"assumed discordance {_show_share(assumed[0].discordance or 0)}")
    pilots = [_name(each) for each in known if each.basis == "pilot"]
    if pilots:
        parts.append(f"{', '.join(pilots)}: from the fold differences of this run's arms")
    return [f"({'; '.join(['80 % power, 5 % two-sided', *parts])})"] if parts else []


def _gains(found: Detectable) -> bool:
    assert found.difference is not None
    assert found.with_more is not None
    return found.with_more < found.difference


def _name(found: Detectable) -> str:
    return sanitise(found.task)


def _show(found: Detectable, difference: float | None) -> str:
    if difference is None:
        return numbers.NOTHING
    if math.isinf(difference):
        return "none, too few examples"
    if found.points:
        return f"{numbers.show_score(100 * difference, ANY, digits=2)} points"
    return f"{numbers.show_score(difference, ANY, digits=2)} {sanitise(found.metric)}"


def _show_share(value: float) -> str:
    digits = 2 if round(value, 2) == value else 3
    return numbers.show_share(value, digits=digits)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
