"""A control is scored as an arm is, stands among the baselines, and is a rival that verdicts name."""

from __future__ import annotations

import pytest

from harness.errors import SpecError
from harness.judge.comparison import Cell, Comparison, Verdict
from harness.judge.rank import compare_arms
from harness.judge.winner import choose_cell
from harness.plan import Study
from harness.record.history import History, TrialRecord
from harness.spec.models import Baseline
from tests.judge.made_up import make_plan, make_spec, read, score_trial

LEVELS = {"majority": (0.43,), "probe": (0.64,), "full": (0.70, 0.74, 0.72), "scratch": (0.56, 0.52, 0.60)}


def compare(
    levels: dict[str, tuple[float, ...]] = LEVELS,
    beside: tuple[Baseline, ...] = ("majority", "probe", "scratch"),
) -> Comparison:
    """Return the comparison of one task with an arm and what stands beside it, by the scores of their trials."""
    spec = make_spec(tasks=("reviews",))
    arms = {"full": spec.arms["full"]}
    spec = spec.model_copy(update={"arms": arms, "baselines": beside})
    plan = make_plan(spec)
    records = [record for study in plan.studies for record in make_trials(study, levels[study.arm])]
    trials = {(record.study, record.trial): record for record in records}
    return compare_arms(plan, History(trials=trials), spec, read=read)


def make_trials(study: Study, levels: tuple[float, ...]) -> list[TrialRecord]:
    return [
        score_trial(study, trial, (level - 0.01, level, level + 0.01)) for trial, level in enumerate(levels)
    ]


def pick(comparison: Comparison, arm: str) -> Cell:
    return next(cell for cell in comparison.cells if cell.arm == arm)


def ask(comparison: Comparison, question: str) -> Verdict | None:
    return next((verdict for verdict in comparison.verdicts if verdict.question == question), None)


def test_a_control_is_corrected_for_the_choice_of_its_trial_as_an_arm_is() -> None:
    cell = pick(compare(), "scratch")
    assert (cell.kind, cell.trial, cell.depth, cell.trials.ok) == ("control", 2, 0, 3)
    assert cell.raw_best == pytest.approx(0.6, abs=0.002)
    assert cell.score is not None
    assert cell.low is not None
    assert cell.high is not None
    assert cell.optimism == pytest.approx(cell.raw_best - cell.score)
    assert cell.low < cell.score < cell.high
    assert cell.gap == pytest.approx(0.06)


def test_a_control_is_not_ranked_not_paired_and_not_exported() -> None:
    best = LEVELS | {"scratch": (0.95,)}
    found = compare(best)
    assert [row.arm for row in found.ranking.rows] == ["full"]
    assert found.pairs == ()
    assert pick(found, "scratch").p_best is None
    assert choose_cell(found, "reviews", None).arm == "full"
    with pytest.raises(SpecError, match=r"the run has no arm 'scratch'\. It has full\."):
        choose_cell(found, "reviews", "scratch")


def test_what_pretraining_is_worth_is_the_best_arm_against_the_control() -> None:
    verdict = ask(compare(), "does pretraining pay?")
    assert verdict is not None
    assert verdict.answer == "yes"
    assert verdict.difference == pytest.approx(0.74 - 0.60, abs=0.02)
    assert verdict.low is not None
    assert verdict.low > 0
    assert verdict.sentence.endswith("macro-f1 over the same network from random weights")
    turned = ask(compare(LEVELS | {"scratch": (0.9,)}), "does pretraining pay?")
    assert turned is not None
    assert turned.answer == "no"
    assert ask(compare(beside=("majority", "probe")), "does pretraining pay?") is None


def test_fine_tuning_that_a_control_beats_does_not_pay_and_the_control_is_named() -> None:
    plain = ask(compare(beside=("majority", "probe")), "does fine-tuning pay?")
    beside = ask(compare(), "does fine-tuning pay?")
    assert plain is not None
    assert beside is not None
    assert plain.sentence.endswith("over the best that trains none, of probe")
    assert beside.sentence.endswith("macro-f1 over the best of probe, scratch (from random weights)")
    assert plain.answer == beside.answer == "yes"
    assert beside.difference == pytest.approx(plain.difference, abs=0.02), "the probe is the better rival"
    turned = ask(compare(LEVELS | {"scratch": (0.9,)}), "does fine-tuning pay?")
    assert turned is not None
    assert turned.answer == "no"
    alone = ask(compare(beside=("majority", "scratch")), "does fine-tuning pay?")
    assert alone is not None
    assert alone.sentence.endswith("macro-f1 over the best of scratch (from random weights)")


def test_pruned_trials_of_a_control_are_told() -> None:
    spec = make_spec(tasks=("reviews",)).model_copy(update={"baselines": ("scratch",)})
    plan = make_plan(spec)
    study = plan.studies[0]
    records = make_trials(study, (0.5, 0.6))
    pruned = TrialRecord(study=study.id, trial=2, candidate=records[0].candidate, state="pruned", folds=())
    trials = {(record.study, record.trial): record for record in (*records, pruned)}
    cell = pick(compare_arms(plan, History(trials=trials), spec, read=read), "scratch")
    assert cell.note == "1 pruned of 3 trials, not in the score"
