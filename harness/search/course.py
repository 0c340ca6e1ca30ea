"""Course: one study under way, from its history to its last trial."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from harness.candidate import Candidate
from harness.plan import Study
from harness.record.history import TrialRecord
from harness.record.ledger import Ledger
from harness.record.means import mean_score, running_means
from harness.record.scores import FoldJob, FoldScore, TrialState
from harness.search.confirm import list_confirming
from harness.search.events import Event, FoldFinished, StudyStopped, TrialAsked, TrialEnded
from harness.search.further import Further
from harness.search.heat import Heat, Trial
from harness.search.hopeless import TRIALS, share_cause
from harness.search.proposer import Gate, Proposer
from harness.search.reduce import list_reduced


class Course:
    """One study under way. Every event is in the ledger before the proposals hear of it.

    Mutable: it is the state of the loop, rebuilt from the ledger when the same command runs again.
    """

    def __init__(
        self, study: Study, ledger: Ledger, proposer: Proposer, gate: Gate, *, batch: int, prunes: bool,
        known: Sequence[TrialRecord], find_best: Callable[[Study], int | None], on_event: Callable[[Event], None],
    ) -> None:  # fmt: skip
        self.study = study
        self.cause = ""  # why it stopped before its trials were spent
        self._ledger = ledger
        self._proposer = proposer
        self._gate = gate
        self._batch = batch
        self._size = batch or 1
        # Folds of one trial run side by side only where that decides nothing: no pruning, no fixed order.
        self._side_by_side = batch == 0 and not prunes
        self._on_event = on_event
        self._steps = study.repeats * study.folds
        self._asked = len(known)
        self._asking = True
        self._ended_early = False
        self._failures = [record.reason for record in known if record.state == "failed"]
        self._pruned = sum(record.state == "pruned" for record in known)
        self._ended = sum(record.state != "running" for record in known)
        self._find_best = find_best
        self._further = Further([self._list_confirming, self._list_reduced])
        self._heats = self._resume([record for record in known if record.state == "running"])
        for heat in list(self._heats):
            self._fill(heat)
            self._settle(heat)
        self._give_up_if_hopeless()

    @property
    def done(self) -> bool:
        """Whether nothing is left to do, or nothing that the budget allows."""
        return self._searched and self._further.done

    @property
    def complete(self) -> bool:
        """Whether nothing at all is left to do."""
        return self.done and not self._ended_early and not self._wants_more()

    @property
    def _searched(self) -> bool:
        """Whether every trial has ended that will be asked."""
        if self._heats:
            return False
        return self._ended_early or not self._wants_more() or self._gate.is_closed(self.study)

    @property
    def failures(self) -> tuple[str, ...]:
        """Why trials failed, one reason each."""
        return tuple(self._failures)

    @property
    def searching(self) -> bool:
        """Whether a trial is under way, or may be asked one day."""
        return bool(self._heats) or (not self._ended_early and self._wants_more())

    def end_search(self) -> None:
        """Start no fold of a trial any more: what was begun is left for the next run to end."""
        self._ended_early = self._ended_early or bool(self._heats) or self._wants_more()
        self._leave_begun()

    def give_up(self, cause: str) -> None:
        """Ask no trial any more, for a cause that another would not change."""
        self._asking = False
        self.cause = cause
        self._on_event(StudyStopped(study=self.study.id, cause=cause))

    def _list_confirming(self) -> list[FoldJob]:
        return list_confirming(self.study, self._ledger.history().of(self.study.id))

    def _list_reduced(self) -> list[FoldJob]:
        if not self.study.fractions:
            return []
        best = self._find_best(self.study)
        known = self._ledger.history().trials
        return list_reduced(self.study, None if best is None else known[self.study.id, best])

    @property
    def progress(self) -> float:
        """The number of trials that are done or under way, by their folds."""
        steps = sum(len(trial.folds) + len(trial.in_flight) for heat in self._heats for trial in heat.trials)
        return self._ended + steps / self._steps

    @property
    def promising(self) -> int:
        """The number of trials that are complete, or may still be."""
        under_way = sum(len(heat.trials) for heat in self._heats)
        return self._ended - len(self._failures) - self._pruned + under_way

    @property
    def succeeded(self) -> bool:
        """Whether a trial did not fail."""
        return self._ended > len(self._failures)

    def next_job(self) -> FoldJob | None:
        """Return a fold to start now, asking for a trial if need be; None where the study waits or is done."""
        for heat in self._heats:
            if (job := self._continue(heat)) is not None:
                return job
        if self._searched:
            return self._further.next_job()
        if not self._may_ask() or (self._batch and self._heats):
            return None
        heat = Heat(trials=[], full=False)
        self._fill(heat)
        if not heat.trials:
            return None
        self._heats.append(heat)
        return self._continue(heat)

    def take(self, job: FoldJob, score: FoldScore) -> None:
        """Record a fold's score, then decide what it decides."""
        self._ledger.record_fold(score)
        self._on_event(FoldFinished(score=score))
        if self._further.expects(score):
            self._further.take(score)
            return
        step = self._step(score)
        for heat in list(self._heats):
            for trial in heat.trials:
                if trial.number == job.trial:
                    trial.in_flight.discard(step)
                    trial.folds[step] = score
                    self._settle(heat)
        self._leave_begun()

    def lose(self, job: FoldJob) -> None:
        """Note that a fold was given up, because the time is over: the next run fits it."""
        self._further.lose(job)
        for heat in self._heats:
            for trial in heat.trials:
                if trial.number == job.trial:
                    trial.in_flight.discard(job.repeat * self.study.folds + job.fold)
        self._ended_early = True
        self._leave_begun()

    def _leave_begun(self) -> None:
        if self._ended_early:
            self._heats = [heat for heat in self._heats if any(trial.in_flight for trial in heat.trials)]

    def _wants_more(self) -> bool:
        return self._asking and self._asked < self.study.trials

    def _may_ask(self) -> bool:
        return self._wants_more() and not self._ended_early and self._gate.may_ask(self.study)

    def _resume(self, running: list[TrialRecord]) -> list[Heat]:
        trials = [
            Trial(
                number=record.trial,
                candidate=record.candidate,
                folds={self._step(fold): fold for fold in record.search_folds(self.study.repeats)},
            )
            for record in running
        ]
        if self._batch and trials:
            return [Heat(trials=trials, full=False)]
        return [Heat(trials=[trial], full=False) for trial in trials]

    def _fill(self, heat: Heat) -> None:
        """Ask for the trials that a heat lacks; a batch ends at a multiple of its size, whoever began it."""
        while not heat.full:
            at_end = bool(heat.trials) and (self._asked % self._size == 0)
            asked = self._ask() if self._may_ask() and not at_end else None
            if asked is None:
                heat.full = True
                return
            number, candidate = asked
            self._ledger.record_asked(self.study.id, number, candidate)
            self._gate.note_asked(self.study)
            self._asked += 1
            heat.trials.append(Trial(number=number, candidate=candidate))
            self._on_event(TrialAsked(study=self.study.id, trial=number, candidate=candidate))

    def _ask(self) -> tuple[int, Candidate | None] | None:
        asked = self._proposer.ask()
        self._asking = asked is not None
        return asked

    def _continue(self, heat: Heat) -> FoldJob | None:
        if self._ended_early:
            return None
        steps = range(heat.front, self._steps) if self._side_by_side else (heat.front,)
        for trial in heat.trials:
            if trial.failure() is not None:
                continue
            for step in steps:
                if step not in trial.folds and step not in trial.in_flight:
                    trial.in_flight.add(step)
                    return self._job(trial, step)
        return None

    def _settle(self, heat: Heat) -> None:
        """Move a heat forward as far as its folds are known, telling its trials in the order of their numbers."""
        while heat.full and heat.trials and all(trial.has_answered(heat.front) for trial in heat.trials):
            step = heat.front
            heat.trials = [trial for trial in heat.trials if self._goes_on(trial, step)]
            heat.front += 1
            heat.trials = [trial for trial in heat.trials if not self._prune(trial, heat.front)]
        if heat.full and not heat.trials:
            self._heats.remove(heat)
            self._give_up_if_hopeless()

    def _goes_on(self, trial: Trial, step: int) -> bool:
        """Tell the proposals of a step; False where the trial is complete or has failed."""
        failed = trial.failure()
        if failed is not None and not trial.in_flight:
            self._end(trial, "failed", failed.error or failed.state)
            return False
        means = running_means(trial.folds.values(), self.study.folds)
        if step in means:
            self._proposer.report(trial.number, step, means[step])
        if step + 1 < self._steps:
            return True
        self._complete(trial)
        return False

    def _complete(self, trial: Trial) -> None:
        mean = mean_score(trial.folds.values())
        if mean is None:
            # A majority vote has no correlation, whatever its folds hold: that is an answer, and nothing went wrong.
            state: TrialState = "complete" if self.study.kind == "baseline" else "failed"
            metric = trial.folds[0].metric
            return self._end(trial, state, f"the metric '{metric}' is undefined on every fold")
        if not math.isfinite(mean):
            return self._end(trial, "failed", f"the mean of the folds is not finite ({mean})")
        return self._end(trial, "complete", "", mean)

    def _prune(self, trial: Trial, step: int) -> bool:
        """Decide before `step`; where that fold is known the decision was made before the process died."""
        if step in trial.folds or step in trial.in_flight or not self._proposer.should_prune(trial.number):
            return False
        mean = mean_score(trial.folds.values())
        self._end(trial, "pruned", f"worse than the median of complete trials after {step} folds", mean)
        return True

    def _end(self, trial: Trial, state: TrialState, reason: str, mean: float | None = None) -> None:
        study = self.study.id
        self._ledger.record_end(study, trial.number, state, reason)
        self._proposer.tell(trial.number, state, mean if state == "complete" else None)
        self._ended += 1
        self._pruned += state == "pruned"
        if state == "failed":
            self._failures.append(reason)
        self._on_event(TrialEnded(study=study, trial=trial.number, state=state, reason=reason, mean=mean))

    def _give_up_if_hopeless(self) -> None:
        enough = self._ended >= min(TRIALS, self.study.trials)
        if not enough or self.cause or len(self._failures) < self._ended:
            return
        if share_cause(self._failures):
            self.give_up(f"all {self._ended} trials failed alike: {self._failures[0]}")

    def _step(self, score: FoldScore) -> int:
        return score.repeat * self.study.folds + score.fold

    def _job(self, trial: Trial, step: int) -> FoldJob:
        repeat, fold = divmod(step, self.study.folds)
        return FoldJob.of(self.study, trial.number, trial.candidate, repeat=repeat, fold=fold)
