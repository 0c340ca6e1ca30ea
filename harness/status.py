"""Status: how a run stands, read from its folder while another process may be working on it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from harness.plan import Plan, Study, expand
from harness.record.counts import count_fits, count_pending
from harness.record.files import Owner, find_owner, read_last_owner, refuse_strays
from harness.record.folders import read_spec
from harness.record.history import History
from harness.record.ledger import LEDGER, read_history
from harness.record.lock import LOCK, read_lock
from harness.record.log import ENDINGS, ERROR, FORCED, LOG, Entry, read_log
from harness.record.means import mean_score
from harness.record.predictions import list_predictions, predictions_name
from harness.record.times import end_of, read_time
from harness.record.troubles import Trouble, list_troubles
from harness.search.allotment import allot
from harness.search.forecast import Pace, forecast_s
from harness.spec.models import Budget

Phase = Literal["preparing", "running", "complete", "deadline", "stopped", "failed", "killed"]
"""What a run does, or how its last process ended; preparing: data and checkpoints are being read."""

REPORT = "report.html"
PHASES: dict[str, Phase] = {
    "complete": "complete",
    "deadline": "deadline",
    "stopped": "stopped",
    FORCED: "stopped",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Trials by their state; `lost` counts lines that the ledger had and has no more."""

    planned: int = 0
    complete: int = 0
    pruned: int = 0
    failed: int = 0
    running: int = 0
    lost: int = 0

    @property
    def ended(self) -> int:
        """How many trials have come to their end."""
        return self.complete + self.pruned + self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStatus:
    """How far a task is: its trials, and the best mean fold score of an arm's complete trials (None: none yet)."""

    name: str
    metric: str
    ended: int
    planned: int
    best: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How a run stands at one moment."""

    suite: str
    folder: Path
    at: datetime
    phase: Phase
    owner: Owner | None  # who works on it now, as the claim says
    last_owner: Owner | None  # who worked on it last
    since: datetime | None  # when the last process began
    ended: datetime | None  # when it ended, None while it runs
    last_words: str = ""  # of that end
    counts: Counts = Counts()
    tasks: tuple[TaskStatus, ...] = ()
    fits: int = 0  # that are done
    pending: int = 0  # that are to do at most
    remaining_s: float | None = None  # None: nothing to estimate it from
    deadline: datetime | None = None  # when the budget ends
    troubles: tuple[Trouble, ...] = ()
    damage: tuple[str, ...] = ()
    report: Path | None = None
    log: Path | None = None


def read_status(folder: Path, *, now: datetime) -> Status:
    """Return how a run stands; it writes nothing and needs neither data nor weights.

    `now` is aware of its zone. Raises `StorageError` where the folder's files cannot be read.
    """
    refuse_strays(folder)
    owner, last_owner = find_owner(folder), read_last_owner(folder)
    ending = None if owner is not None else _find_ending(read_log(folder))
    known = (folder / LOCK).exists()
    predicted = list_predictions(folder)  # before the ledger, which has a line of each but one by then
    history = _read_history(folder, writing=owner is not None)
    status = Status(
        suite=folder.name,
        folder=folder,
        at=now,
        phase=_find_phase(owner, ending, known=known),
        owner=owner,
        last_owner=last_owner,
        since=read_time((owner or last_owner or Owner()).since),
        ended=None if owner is not None else _find_end(ending, history),
        last_words="" if ending is None else _find_words(ending),
        damage=history.findings,
        report=folder / REPORT if (folder / REPORT).exists() else None,
        log=folder / LOG if (folder / LOG).exists() else None,
    )
    return _add_plan(status, history, lost=_count_lost(history, predicted)) if known else status


def _add_plan(status: Status, history: History, *, lost: int) -> Status:
    """Return a status with what the plan of the run tells of its ledger."""
    lock = read_lock(status.folder)
    spec = read_spec(status.folder, lock)
    plan = expand(spec, lock.survey)
    studies = tuple({study.id: study for study in plan.studies}.values())
    pending = 0 if status.phase == "complete" else sum(_count_left(study, history) for study in studies)
    # Versions that kept no log said nowhere that they had ended.
    phase = "complete" if status.phase == "killed" and not pending and status.log is None else status.phase
    since = status.since
    planned = replace(
        status,
        suite=plan.suite,
        phase=phase,
        counts=_count_trials(studies, history, lost),
        tasks=tuple(_look_at_task(name, plan, history) for name in plan.survey.tasks),
        fits=sum(count_fits(study, history) for study in studies),
        pending=pending,
        troubles=list_troubles(studies, history),
    )
    if phase != "running" or since is None:
        return planned
    return replace(
        planned,
        remaining_s=_estimate(studies, history, since),
        deadline=_find_deadline(spec.budget, status.owner, history, since),
    )


def _read_history(folder: Path, *, writing: bool) -> History:
    if not (folder / LEDGER).exists():
        return History(trials={})
    history = read_history(folder)
    if writing and history.findings:
        return read_history(folder)  # its last line may have been half there at the first look
    return history


def _find_ending(log: Sequence[Entry]) -> Entry | None:
    """Return the line with which the last process ended, None where it has ended without a word."""
    return log[-1] if log and log[-1].kind in ENDINGS else None


def _find_words(ending: Entry) -> str:
    """Return why a process ended, where it says so: what comes before is counted anew."""
    return ending.text if ending.kind in (ERROR, FORCED) else ending.text.partition("; ")[2]


def _find_phase(owner: Owner | None, ending: Entry | None, *, known: bool) -> Phase:
    if owner is not None:
        return "running" if known else "preparing"
    if ending is None:
        return "killed"
    return PHASES.get(ending.kind, "failed")


def _find_end(ending: Entry | None, history: History) -> datetime | None:
    """Return when the last process ended, of one that was killed when its last fold did."""
    if ending is not None:
        return ending.at
    ends = [end_of(fold) for record in history.trials.values() for fold in record.folds]
    return max((end for end in ends if end is not None), default=None)


def _count_trials(studies: Sequence[Study], history: History, lost: int) -> Counts:
    states = Counter(record.state for study in studies for record in history.of(study.id))
    return Counts(
        planned=sum(study.trials for study in studies),
        complete=states["complete"],
        pruned=states["pruned"],
        failed=states["failed"],
        running=states["running"],
        lost=lost,
    )


def _count_lost(history: History, predicted: set[str]) -> int:
    """Return how many lines the ledger has lost: their numbers are missing, or the predictions of folds have none."""
    folds = [fold for record in history.trials.values() for fold in (*record.folds, *record.reduced)]
    tests = [record.test for record in history.trials.values() if record.test is not None]
    orphans = predicted - {predictions_name(fold.key) for fold in (*folds, *tests)}
    return max(history.lost, len(orphans) - 1)  # one may be on its way into the ledger


def _look_at_task(name: str, plan: Plan, history: History) -> TaskStatus:
    facts = plan.survey.tasks[name]
    own = [study for study in plan.studies if study.task == name]
    means = [
        mean_score(record.search_folds(study.repeats))
        for study in own
        for record in history.of(study.id)
        if study.kind == "arm" and record.state == "complete"
    ]
    scores = [mean for mean in means if mean is not None and math.isfinite(mean)]
    better = max if facts.higher_is_better else min
    return TaskStatus(
        name=name,
        metric=facts.metric,
        ended=sum(record.state != "running" for study in own for record in history.of(study.id)),
        planned=sum(study.trials for study in own),
        best=better(scores, default=None),
    )


def _estimate(studies: Sequence[Study], history: History, since: datetime) -> float | None:
    """Return the seconds that are left, at the pace of the present process; None where nothing tells."""
    left_s = forecast_s(studies, history, pace=Pace(studies, history, {}), workers=1)
    return None if left_s is None else left_s / _measure_pace(studies, history, since)


def _count_left(study: Study, history: History) -> int:
    """Return how many fits are to do at most, without those of trials under way that are done."""
    running = [record for record in history.of(study.id) if record.state == "running"]
    return count_pending(study, history) - sum(len(record.search_folds(study.repeats)) for record in running)


def _measure_pace(studies: Sequence[Study], history: History, since: datetime) -> float:
    """Return how many seconds of fits end in one second, of what the present process has done so far."""
    folds = [fold for study in studies for record in history.of(study.id) for fold in record.folds]
    ends = [(fold, end_of(fold)) for fold in folds]
    own = [(fold, end) for fold, end in ends if end is not None and end > since]
    if not own:
        return 1.0
    passed_s = (max(end for _, end in own) - since).total_seconds()
    return max(0.1, sum(fold.fit_s for fold, _ in own) / passed_s) if passed_s > 0 else 1.0


def _find_deadline(budget: Budget, owner: Owner | None, history: History, since: datetime) -> datetime | None:
    """Return when the budget of the process ends that works on the run."""
    earlier = history.sessions
    if owner is not None and earlier and (earlier[-1].pid, earlier[-1].host) == (owner.pid, owner.host):
        earlier = earlier[:-1]
    spent_s = sum(session.elapsed_s for session in earlier)
    ends_s = allot(budget, began=since, began_s=since.timestamp(), spent_s=spent_s).ends_s
    return None if ends_s is None else datetime.fromtimestamp(ends_s, tz=since.tzinfo)
