"""Budgets: whether the arms of a task and backbone were given the same number of trials and fits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.judge.answers import list_some
from harness.plan import Study
from harness.record.history import TrialRecord

SHOWN = 4  # places named in a note


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one arm was given: trials, pruned and failed ones included, and fits for each trial that completes.

    An arm is exhausted if it has fewer candidates than trials were allowed, and has tried them all.
    """

    arm: str
    trials: int
    fits_a_trial: int
    exhausted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The arms and controls of one task and backbone that were not given the same.

    `unequal`: not because one is exhausted.
    """

    task: str
    backbone: str
    shares: tuple[Share, ...]
    unequal: bool
    sentence: str


def weigh_budgets(
    studies: Sequence[Study], trials: Mapping[str, Sequence[TrialRecord]], *, asked: int
) -> tuple[Budget, ...]:
    """Return the budgets of the blocks whose arms differ; `asked` is how many trials each study may have.

    The searches of an arm's outer folds count together. An arm without any trial is missing from the comparison, so
    nothing favours another over it.
    """
    blocks: dict[tuple[str, str], dict[str, list[Study]]] = defaultdict(lambda: defaultdict(list))
    for study in studies:
        if study.kind != "baseline" and trials.get(study.id):
            blocks[study.task, study.backbone][study.arm].append(study)
    found = [
        _weigh(task, backbone, [_share(searches, trials, asked=asked) for searches in arms.values()])
        for (task, backbone), arms in blocks.items()
    ]
    return tuple(budget for budget in found if budget is not None)


def tell_budgets(budgets: Sequence[Budget], studies: Sequence[Study]) -> tuple[str, ...]:
    """Return one sentence for the blocks that differ alike, naming them unless they are all of the `studies`."""
    alike: dict[str, list[str]] = defaultdict(list)
    backbones = defaultdict(set)
    for study in studies:
        backbones[study.task].add(study.backbone)
    several = any(len(each) > 1 for each in backbones.values())
    for budget in budgets:
        name = f"{budget.task} on {budget.backbone}" if several else budget.task
        alike[budget.sentence].append(name)
    everywhere = len({(study.task, study.backbone) for study in studies})
    return tuple(
        f"Budgets{'' if len(places) == everywhere else f' on {list_some(places, shown=SHOWN)}'}: {sentence}."
        for sentence, places in alike.items()
    )


def _share(searches: Sequence[Study], trials: Mapping[str, Sequence[TrialRecord]], *, asked: int) -> Share:
    study = searches[0]
    assert study.space is not None, "an arm has a space"
    spent = [len(trials[each.id]) for each in searches]
    # Early stopping chooses the epochs on a part of the training rows, then fits once more on all of them.
    fits_a_fold = 1 if study.space.patience is None else 2
    return Share(
        arm=study.arm,
        trials=sum(spent),
        fits_a_trial=study.folds * study.repeats * fits_a_fold,
        exhausted=study.trials < asked and min(spent) >= study.trials,
    )


def _weigh(task: str, backbone: str, shares: Sequence[Share]) -> Budget | None:
    """Return what differs between the arms of one block, None where nothing does."""
    most = max(share.trials for share in shares)
    leading = [share.arm for share in shares if share.trials == most]
    short = [share for share in shares if share.trials < most and not share.exhausted]
    spent = [share for share in shares if share.trials < most and share.exhausted]
    told = []
    if short:
        fewer = ", ".join(f"{share.arm} {share.trials}" for share in short)
        told.append(f"{_join(leading)} had {most} trials, {fewer}: the comparison favours {_join(leading)}")
    told += [f"{_tell_exhausted(share)} (trials of {_join(leading)}: {most})" for share in spent]
    fits = {share.arm: share.fits_a_trial for share in shares}
    wider = [arm for arm, count in fits.items() if count == max(fits.values())]
    if len(wider) < len(shares):
        fewer = ", ".join(f"{arm} {count}" for arm, count in fits.items() if arm not in wider)
        told.append(
            f"a trial of {_join(wider)} takes {max(fits.values())} fits, {fewer}: the comparison favours {_join(wider)}"
        )
    if not told:
        return None
    return Budget(
        task=task,
        backbone=backbone,
        shares=tuple(shares),
        unequal=bool(short) or len(wider) < len(shares),
        sentence="; ".join(told),
    )


def _tell_exhausted(share: Share) -> str:
    all_of_them = "its only candidate" if share.trials == 1 else f"all of its {share.trials} candidates"
    return f"{share.arm} is exhausted: it tried {all_of_them}"


def _join(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
