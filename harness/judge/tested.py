"""The locked test of a cell: a score that nothing was chosen by, with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from harness.judge.comparison import Cell
from harness.judge.evidence import Evidence, Measure, Read, gather_evidence
from harness.judge.stats import Interval, bootstrap_metric
from harness.judge.whole import find_whole
from harness.plan import Study
from harness.record.history import TrialRecord


def add_test(
    cell: Cell, trials: Sequence[TrialRecord], study: Study, measure: Measure | None, read: Read
) -> Cell:
    """Return the cell with its score on what was locked away: its own trial's, else that of a former winner."""
    tested = {record.trial: record for record in trials if record.test is not None}
    if not tested:
        return cell
    record = tested.get(cell.trial) if cell.trial is not None else None
    record = record or tested[max(tested)]
    test = record.test
    assert test is not None
    notes = [cell.note]
    if record.trial != cell.trial and cell.trial is not None:
        notes.append(f"the test score is that of trial {record.trial}, which was best when it was taken")
    opened = sum(each.test is not None and each.test.state == "ok" for each in tested.values())
    if opened > 1:
        notes.append(f"the test was opened {opened} times")
    if test.valid_score is None:
        notes.append(f"the test failed: {test.error or test.state}")
    elif not math.isfinite(test.valid_score):
        notes.append("the metric is undefined on what is locked away")
    cell = replace(
        cell,
        test_score=keep_finite(test.valid_score),
        test_gap=_find_gap(record, study),
        note="; ".join(filter(None, notes)),
    )
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
        lambda predictions, targets, counts: measure.score(predictions, targets, counts * evidence.weights),
        groups=evidence.groups,
    )


def keep_finite(value: float | None) -> float | None:
    """Return a number, None for what is undefined."""
    return value if value is not None and math.isfinite(value) else None
