"""The locked test of a cell: a score that nothing was chosen by, with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from harness.judge.comparison import Cell
from harness.judge.evidence import Evidence, Measure, Read, gather_evidence, weigh
from harness.judge.stats import Interval, bootstrap_metric
from harness.judge.whole import find_whole, keep_finite
from harness.plan import Study
from harness.record.history import TrialRecord


def add_test(
    cell: Cell, trials: Sequence[TrialRecord], study: Study, measure: Measure | None, read: Read
) -> Cell:
    """Return the cell with its score on what was locked away: its own trial's, else that of a former winner."""
    record = find_tested(trials, cell.trial)
    cell = _add_notes(cell, [_tell_failed(trials, cell.trial), *_tell_opened(trials, cell, record)])
    test = None if record is None else record.test
    if record is None or test is None:
        return cell
    cell = replace(cell, test_score=keep_finite(test.valid_score), test_gap=_find_gap(record, study))
    if cell.test_score is None or measure is None:
        return cell
    found = gather_evidence(
        [replace(record, folds=(test,))], repeat=test.repeat, read=read, target=measure.target
    )
    if found is None:
        return cell
    interval = bootstrap(found, measure)
    low, high = keep_finite(interval.low), keep_finite(interval.high)
    return replace(cell, test_low=low, test_high=high, tested=found)


def find_tested(trials: Sequence[TrialRecord], winner: int | None) -> TrialRecord | None:
    """Return the trial of a study that its locked test was opened for: the winner, else the latest.

    A fit that failed has shown nothing.
    """
    tested = _list_opened(trials)
    return next((record for record in tested if record.trial == winner), tested[-1] if tested else None)


def _list_opened(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    opened = [record for record in trials if record.test is not None and record.test.state == "ok"]
    return sorted(opened, key=lambda record: record.trial)


def _tell_failed(trials: Sequence[TrialRecord], winner: int | None) -> str:
    """Say why the winner's test failed, or the latest where no test was opened; nothing where none did."""
    tests = {record.trial: record.test for record in trials if record.test is not None}
    failed = {trial: test for trial, test in tests.items() if test.state != "ok"}
    if not failed or (winner not in failed and len(failed) < len(tests)):
        return ""
    test = failed[max(failed) if winner is None or winner not in failed else winner]
    return f"the test failed: {test.error or test.state}"


def _tell_opened(trials: Sequence[TrialRecord], cell: Cell, record: TrialRecord | None) -> list[str]:
    """Say what a reader of the test's score must know besides."""
    if record is None or record.test is None:
        return []
    notes = []
    if cell.trial is not None and record.trial != cell.trial:
        notes.append(f"the test score is that of trial {record.trial}, which was best when it was taken")
    if (opened := len(_list_opened(trials))) > 1:
        notes.append(f"the test was opened {opened} times")
    if record.test.valid_score is None or not math.isfinite(record.test.valid_score):
        notes.append("the metric is undefined on what is locked away")
    return notes


def _add_notes(cell: Cell, notes: Sequence[str]) -> Cell:
    return replace(cell, note="; ".join(filter(None, (cell.note, *notes))))


def _find_gap(record: TrialRecord, study: Study) -> float | None:
    """Return how much better a trial's mean validation score is than its test score, None where either is unknown."""
    whole = find_whole(study, record)
    if whole is None or record.test is None or record.test.valid_score is None:
        return None
    sign = 1 if study.higher_is_better else -1
    return keep_finite(sign * (whole.mean - record.test.valid_score))


def bootstrap(evidence: Evidence, measure: Measure, trial: int = 0) -> Interval:
    """Return the interval of one trial's score over bags of examples, or of groups."""
    return bootstrap_metric(
        evidence.predictions[trial],
        evidence.targets,
        weigh(measure.score, evidence),
        groups=evidence.groups,
    )
