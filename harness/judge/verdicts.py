"""Verdicts: what a task's cells answer, in words, with the interval that the words rest on."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.judge.answers import CANNOT_TELL, show_change
from harness.judge.comparison import Bagged, Cell, ComparedTask, Question, Verdict
from harness.judge.learning import measure_gain
from harness.judge.pairs import find_rope
from harness.judge.stats import corrected_resampled_t, summarise_bags
from harness.judge.whole import mean_known


def reach_verdicts(cells: Sequence[Cell], tasks: Sequence[ComparedTask]) -> tuple[Verdict, ...]:
    """Return the answers for every task and backbone whose cells have bags to answer from."""
    found: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.bagged is not None:
            found[cell.task, cell.backbone].append(cell)
    named = {task.name: task for task in tasks}
    verdicts = [
        verdict
        for (task, _), block in found.items()
        for verdict in (
            ask_whether_it_pays(block, named[task]),
            ask_whether_pretraining_pays(block, named[task]),
            ask_how_deep(block, named[task]),
            ask_whether_it_overfits(block, named[task]),
            ask_what_cheaper_costs(block, named[task]),
            ask_whether_more_data_helps(block, named[task]),
        )
    ]
    return tuple(verdict for verdict in verdicts if verdict is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """How much better one side scores than the other, over bags, with the ends of the 95 % interval."""

    difference: float
    low: float
    high: float

    @property
    def answer(self) -> str:
        """Whether it is a gain."""
        return "yes" if self.low > 0 else "no" if self.high < 0 else CANNOT_TELL

    def __str__(self) -> str:
        return show_change(self.difference, self.low, self.high)

    def tell(self, question: Question, block: Sequence[Cell], sentence: str) -> Verdict:
        """Return the verdict that rests on it."""
        return Verdict(
            question=question,
            task=block[0].task,
            backbone=block[0].backbone,
            answer=self.answer,
            sentence=f"{self.answer}: {sentence}",
            difference=self.difference,
            low=self.low,
            high=self.high,
        )


def ask_whether_it_pays(block: Sequence[Cell], task: ComparedTask) -> Verdict | None:
    """Compare the trials that train blocks with the best rival: baselines, trials that froze all, and controls.

    In each bag the best of either side is chosen inside and scored outside. None where a side is missing.
    """
    idle = {cell.arm: cell.frozen for cell in block if cell.frozen is not None and cell.arm != "majority"}
    controls = {cell.arm: cell.bagged for cell in block if cell.kind == "control" and cell.bagged is not None}
    tuned = [cell.tuned for cell in block if cell.kind == "arm" and cell.tuned is not None]
    gain = _find_gain(tuned, [*idle.values(), *controls.values()], task)
    if gain is None:
        return None
    rivals = f"the best that trains none, of {', '.join(idle)}"
    if controls:
        rivals = f"the best of {', '.join((*idle, *controls))} (from random weights)"
    return gain.tell(
        "does fine-tuning pay?", block, f"training blocks gains {gain} {task.metric} over {rivals}"
    )


def ask_whether_pretraining_pays(block: Sequence[Cell], task: ComparedTask) -> Verdict | None:
    """Compare the best of the arms with the same network from random weights; None where there is no such control."""
    controls = [cell.bagged for cell in block if cell.kind == "control" and cell.bagged is not None]
    arms = [cell.bagged for cell in block if cell.kind == "arm" and cell.bagged is not None]
    gain = _find_gain(arms, controls, task)
    if gain is None:
        return None
    return gain.tell(
        "does pretraining pay?",
        block,
        f"the best arm gains {gain} {task.metric} over the same network from random weights",
    )


def _find_gain(ours: Sequence[Bagged], theirs: Sequence[Bagged], task: ComparedTask) -> Gain | None:
    """Return what the better of ours gains over the better of theirs; None where a side is missing."""
    if not ours or not theirs:
        return None
    sign = 1 if task.higher_is_better else -1
    gained = _score_outside(ours, sign) - _score_outside(theirs, sign)  # (bags,)
    mean, interval = mean_known(gained.tolist()), summarise_bags(gained)
    return None if mean is None else Gain(difference=mean, low=interval.low, high=interval.high)


def ask_how_deep(block: Sequence[Cell], task: ComparedTask) -> Verdict | None:
    """Return the depths that are best in 95 % of bags, over the trials of all arms; None with one depth tried."""
    sign = 1 if task.higher_is_better else -1
    arms = [cell for cell in block if cell.kind == "arm" and cell.bagged is not None]
    if not arms:
        return None
    inside = np.stack([sign * cell.bagged.inside for cell in arms if cell.bagged is not None])  # (arms, bags)
    depth = np.stack([cell.bagged.depth for cell in arms if cell.bagged is not None])
    known = np.isfinite(inside).any(axis=0)
    if not known.any() or len(np.unique(depth[depth >= 0])) < 2:
        return None
    best = np.nanargmax(np.where(np.isfinite(inside), inside, -math.inf)[:, known], axis=0)
    chosen = depth[:, known][best, np.arange(best.size)]
    low, middle, high = (int(each) for each in np.quantile(chosen, [0.025, 0.5, 0.975], method="nearest"))
    blocks = block[0].blocks
    answer = str(middle) if low == high else CANNOT_TELL if high - low >= blocks / 2 else f"{low} to {high}"
    return Verdict(
        question="how deep to freeze?",
        task=task.name,
        backbone=block[0].backbone,
        answer=answer,
        sentence=f"{answer}: in 95 % of bags the best trial freezes {low} to {high} of {blocks} blocks",
        difference=float(middle),
        low=float(low),
        high=float(high),
    )


def ask_whether_it_overfits(block: Sequence[Cell], task: ComparedTask) -> Verdict | None:
    """Look at how much better the best arm does on what it was trained on, over folds, against one point."""
    best = find_best_arm(block, task)
    if best is None:
        return None
    gaps = [gap for gap in best.fold_gaps if math.isfinite(gap)]
    if len(gaps) < 2:
        return None
    test = corrected_resampled_t(gaps, test_over_train=task.test_over_train)
    rope = find_rope(best.fold_scores, task.bounds)
    answer = "yes" if test.low > rope else "no" if test.high < rope else CANNOT_TELL
    return Verdict(
        question="is it overfitting?",
        task=task.name,
        backbone=best.backbone,
        answer=answer,
        sentence=(
            f"{answer}: {best.arm} scores {show_change(test.mean, test.low, test.high)} {task.metric} better on "
            "what it was trained on"
        ),
        difference=test.mean,
        low=test.low,
        high=test.high,
    )


def ask_what_cheaper_costs(block: Sequence[Cell], task: ComparedTask) -> Verdict | None:
    """Look at what is lost by deploying the best arm's cheaper candidate; None where there is none."""
    best = find_best_arm(block, task)
    if best is None or best.deploy is None:
        return None
    cheaper = best.deploy
    rope = find_rope(best.fold_scores, task.bounds)
    answer = (
        "less than a point"
        if cheaper.high < rope
        else "a point or more"
        if cheaper.low > rope
        else CANNOT_TELL
    )
    return Verdict(
        question="what would a cheaper candidate cost?",
        task=task.name,
        backbone=best.backbone,
        answer=answer,
        sentence=(
            f"{answer}: trial {cheaper.trial} of {best.arm} freezes {cheaper.depth} of {best.blocks} blocks and loses "
            f"{show_change(cheaper.regret, cheaper.low, cheaper.high)} {task.metric}"
        ),
        difference=cheaper.regret,
        low=cheaper.low,
        high=cheaper.high,
    )


def ask_whether_more_data_helps(block: Sequence[Cell], task: ComparedTask) -> Verdict | None:
    """Look at what the best arm gained from the last rows of its learning curve; no means less than a point."""
    best = find_best_arm(block, task)
    if best is None or best.learning_curve is None:
        return None
    gain = measure_gain(best.learning_curve, higher_is_better=task.higher_is_better)
    if gain is None:
        return None
    before, last = best.learning_curve.points[-2:]
    rope = find_rope(last.fold_scores, task.bounds)
    answer = "no" if gain.high < rope else "yes" if gain.low > 0 else CANNOT_TELL
    return Verdict(
        question="would more data help?",
        task=task.name,
        backbone=best.backbone,
        answer=answer,
        sentence=(
            f"{answer}: from {before.n_train:.0f} to {last.n_train:.0f} training rows {best.arm} gains "
            f"{show_change(gain.mean, gain.low, gain.high)} {task.metric}"
        ),
        difference=gain.mean,
        low=gain.low,
        high=gain.high,
    )


def find_best_arm(block: Sequence[Cell], task: ComparedTask) -> Cell | None:
    """Return the arm of one task and backbone that has the best score, None where none has any."""
    sign = 1 if task.higher_is_better else -1
    arms = [cell for cell in block if cell.kind == "arm" and cell.score is not None]
    return max(arms, key=lambda cell: sign * (cell.score or 0.0), default=None)


def _score_outside(bags: Sequence[Bagged], sign: int) -> np.ndarray:
    """Return the score outside each bag of what is best inside it, (bags,), higher being better."""
    inside = np.stack([sign * each.inside for each in bags])  # (sides, bags)
    outside = np.stack([sign * each.outside for each in bags])
    best = np.where(np.isfinite(inside), inside, -math.inf).argmax(axis=0)
    scores: np.ndarray = outside[best, np.arange(best.size)]
    return scores
