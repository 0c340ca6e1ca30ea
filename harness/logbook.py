"""Logbook: events of a run in words, and its log that they are written into."""

from __future__ import annotations

import os
import socket
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from harness.plan import Plan, Study, tell_missing
from harness.record.history import History
from harness.record.log import write_log
from harness.record.scores import FoldScore
from harness.record.troubles import tell_repeat
from harness.search.events import Event, Expected, FoldFinished, StudyStopped, TrialEnded, WorkerLost

REMIND_S = 600.0  # how often it is written how far the run is
Ended = Literal["complete", "deadline", "stopped"]


def tell_plan(plan: Plan) -> str:
    """Return what a suite holds, in one line."""
    tasks = len({study.task for study in plan.studies})
    names = {(study.kind, study.arm) for study in plan.studies}
    kinds = Counter(kind for kind, _ in names)
    fits = sum(study.fits for study in plan.studies)
    controls = [_count(kinds["control"], "control")] if kinds["control"] else []
    counts = (_count(kinds["arm"], "arm"), _count(kinds["baseline"], "baseline"), *controls)
    return " · ".join((plan.suite, _count(tasks, "task"), *counts, _count(fits, "fit"))) + " at most"


def name_study(study: Study) -> str:
    """Return a study as people name it."""
    outer = "" if study.outer_fold is None else f" outer fold {study.outer_fold}"
    return f"{study.task} {study.backbone} {study.arm}{outer}"


class Logbook:
    """Writes what is worth reading of a run's events into its log. Mutable: it counts the trials that have ended."""

    def __init__(
        self, folder: Path, plan: Plan, history: History, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._studies = {study.id: study for study in plan.studies}
        self._clock = clock
        self._reminded_s = clock()
        self._counts = Counter(record.state for study in self._studies for record in history.of(study))
        known = sum(count for state, count in self._counts.items() if state != "running")
        worker = f"process {os.getpid()} on host {socket.gethostname()}"
        write_log(folder, "start", f"{worker}: {tell_plan(plan)}; {known} trials known from before")
        for sentence in tell_missing(plan.survey):
            write_log(folder, "missing", sentence)
        for sentence in history.findings:
            write_log(folder, "damage", sentence)

    def note(self, event: Event) -> None:
        """Write an event, if it is worth it."""
        if isinstance(event, FoldFinished):
            self._note_fold(event.score)
        if isinstance(event, TrialEnded):
            self._counts[event.state] += 1
        if isinstance(event, TrialEnded) and event.state == "failed":
            place = f"{self._name(event.study)} t-{event.trial:04d}"
            write_log(self._folder, "trial", f"{place}: failed: {event.reason}")
        if isinstance(event, StudyStopped):
            write_log(self._folder, "study", f"{self._name(event.study)}: {event.cause}")
        if isinstance(event, WorkerLost):
            write_log(self._folder, "worker", event.cause)
        if isinstance(event, Expected) and self._clock() >= self._reminded_s + REMIND_S:
            self._reminded_s = self._clock()
            write_log(self._folder, "progress", f"{self._tell_counts()}; {event.remaining_s:.0f} s left")

    def _note_fold(self, score: FoldScore) -> None:
        place = f"{self._name(score.study)} t-{score.trial:04d} fold {score.fold}"
        if score.state != "ok":
            write_log(self._folder, "fold", f"{place}: {score.state}: {score.error}")
        elif score.micro_batch is not None:
            write_log(self._folder, "fold", f"{place}: out of memory: {tell_repeat(score)}")

    def close(self, ended: Ended, why: str) -> None:
        """Write how the run ended."""
        write_log(self._folder, ended, self._tell_counts() + (f"; {why}" if why else ""))

    def _tell_counts(self) -> str:
        return ", ".join(f"{self._counts[state]} {state}" for state in ("complete", "pruned", "failed"))

    def _name(self, study: str) -> str:
        return name_study(self._studies[study])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
