"""Ledger: the truth about a run, one durable line an event."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.candidate import Candidate
from harness.credentials import redact
from harness.errors import StorageError
from harness.plan import Study
from harness.record import lines
from harness.record.faults import write_fault
from harness.record.files import make_folder, refuse_strays, storage_faults, sync_folder
from harness.record.history import History, Session
from harness.record.predictions import (
    list_predictions,
    name_predictions,
    remove_predictions,
    write_predictions,
)
from harness.record.reading import Reading, enter, read_lines
from harness.record.scores import FoldScore, TrialState

LEDGER = "ledger.jsonl"


class Ledger:
    """A run's ledger, open for appending by the one process that has claimed the run.

    An event is durable when its method returns: after kill -9 every such event is found again, and at most
    one unfinished line is cut. After a StorageError nothing more is taken: open the ledger anew.
    """

    def __init__(
        self,
        folder: Path,
        descriptor: int,
        reading: Reading,
        *,
        clock: Callable[[], float],
        began_s: float | None,
    ) -> None:
        self._folder = folder
        self._descriptor = descriptor
        self._clock = clock
        self._began_s = began_s
        self._session: Session | None = None  # None: this process has written nothing yet
        self._sessions = reading.sessions
        self._trials = reading.trials
        self._damage = reading.damage
        self._torn = reading.torn
        self._next = reading.next_number
        self._end = reading.good_bytes
        self._keys = {
            fold.key for record in reading.trials.values() for fold in (*record.folds, *record.reduced)
        }

    @classmethod
    def open(
        cls, folder: Path, *, clock: Callable[[], float] = time.monotonic, began_s: float | None = None
    ) -> Ledger:
        """Open the ledger in `folder`, or a new one, and mend its tail; the run must be claimed.

        `began_s` is when this process began to work on the run, on `clock`: its session is told before its first
        event, and every line says when it was written. None: no session is told.
        """
        make_folder(folder)
        path = folder / LEDGER
        with storage_faults(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            try:
                sync_folder(folder)
                reading = read_lines(path)
                os.ftruncate(descriptor, reading.good_bytes)
                os.fsync(descriptor)
                return cls(
                    folder,
                    descriptor,
                    _compare_with_files(folder, reading),
                    clock=clock,
                    began_s=began_s,
                )
            except BaseException:
                os.close(descriptor)
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; every line is durable already."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def history(self) -> History:
        """Return all that the ledger says at this moment."""
        own = () if self._session is None else (self._session,)
        return History(
            trials=dict(self._trials),
            damage=self._damage,
            torn=self._torn,
            sessions=(*self._sessions, *own),
        )

    def reopen(self, studies: Iterable[Study]) -> None:
        """Take up again the trials that are complete and lack folds, for the lines of these were lost."""
        needed = {study.id: study for study in studies}
        for key, record in list(self._trials.items()):
            study = needed.get(record.study)
            if study is None or record.state != "complete":
                continue
            if len(record.search_folds(study.repeats)) < study.repeats * study.folds:
                self._trials[key] = replace(record, state="running", reason="")

    def record_asked(self, study: str, trial: int, candidate: Candidate | None) -> None:
        """Append that a trial was proposed; a trial that is known stays as it is."""
        if (study, trial) not in self._trials:
            self._append(lines.Asked(study=study, trial=trial, candidate=candidate))

    def record_fold(self, score: FoldScore) -> bool:
        """Make a fold's predictions, or its traceback, durable and then its line; False where the fold is known.

        The trial must have been asked: a fold without a candidate would say nothing.
        """
        if score.key in self._keys:
            return False
        written = self._keep_files(score)
        candidate = self._trials[score.study, score.trial].candidate
        self._append(lines.Folded(score=written, candidate=candidate))
        self._keys.add(score.key)
        return True

    def record_test(self, score: FoldScore) -> None:
        """Make the predictions on what was locked away durable and then their line; a trial is tested once.

        Raises `StorageError` where the trial has a test score already: a second look would be a choice. A fit that
        failed has shown nothing, and may be done again.
        """
        known = self._trials[score.study, score.trial].test
        if known is not None and known.state == "ok":
            raise StorageError(
                f"{self._folder / LEDGER}: trial {score.trial} of study {score.study} was tested already, and "
                "what is locked away is opened once. `--reopen-test` opens it for another trial."
            )
        written = self._keep_files(score)
        self._append(lines.Tested(score=written))

    def record_end(self, study: str, trial: int, state: TrialState, reason: str = "") -> None:
        """Append how a trial ended; what has ended does not end again."""
        if self._trials[study, trial].state == "running":
            self._append(lines.Ended(study=study, trial=trial, state=state, reason=redact(reason)))

    def _keep_files(self, score: FoldScore) -> FoldScore:
        """Return a score as its line holds it, without secrets, what is long of it durable in a file of its own."""
        score = replace(score, error=None if score.error is None else redact(score.error))
        if score.traceback is not None:
            write_fault(self._folder, replace(score, traceback=redact(score.traceback)))
            score = replace(score, traceback=None)
        if score.predictions is None:
            return score
        sha256 = write_predictions(self._folder, score)
        return replace(score, predictions=None, predictions_sha256=sha256)

    def _append(self, event: lines.Event) -> None:
        if self._began_s is None:
            self._write(event, None)
            return
        elapsed_s = round(self._clock() - self._began_s, 3)
        if self._session is None:
            # Not before there is something to write: a finished run that is asked again stays as it is.
            self._session = _begin_session(elapsed_s)
            self._write(_describe_session(self._session), elapsed_s)
        self._write(event, elapsed_s)
        self._session = replace(self._session, elapsed_s=elapsed_s)

    def _write(self, event: lines.Event, elapsed_s: float | None) -> None:
        if self._descriptor < 0:
            raise StorageError(f"{self._folder / LEDGER}: closed after a fault. Run the same command again.")
        line = lines.encode_line(self._next, event, elapsed_s)
        with storage_faults(self._folder / LEDGER):
            try:
                _write_all(self._descriptor, line)
                os.fsync(self._descriptor)
            except OSError:
                self._retract()
                raise
        self._next += 1
        self._end += len(line)
        enter(self._trials, event)

    def _retract(self) -> None:
        """Take back half a line and take no more: after a failed fsync nobody knows what the disk holds."""
        try:
            os.ftruncate(self._descriptor, self._end)
        finally:
            self.close()


def read_history(folder: Path) -> History:
    """Return what the ledger in `folder` says, changing nothing: another process may be writing it."""
    path = folder / LEDGER
    refuse_strays(folder)
    if not path.exists():
        return History(trials={}, damage=(f"{path}: there is no ledger here",))
    with storage_faults(path):
        reading = read_lines(path)
    return History(
        trials=reading.trials,
        damage=reading.damage,
        torn=reading.torn,
        lost=reading.lost,
        sessions=reading.sessions,
    )


def _compare_with_files(folder: Path, reading: Reading) -> Reading:
    """Report predictions that no line names: a kill leaves one at most, more of them are lost lines."""
    orphans = sorted(list_predictions(folder) - name_predictions(reading.trials.values()))
    if len(orphans) <= 1:
        remove_predictions(folder, orphans)
        return reading
    lost = (
        f"{folder / LEDGER}: {len(orphans)} folds have predictions but no line here: the lines at its end "
        f"were lost, and the last good line is number {reading.next_number - 1}. Only those folds run again."
    )
    return replace(reading, damage=(*reading.damage, lost))


def _begin_session(elapsed_s: float) -> Session:
    """Return the session of this process, which began `elapsed_s` ago."""
    began = datetime.now(UTC) - timedelta(seconds=elapsed_s)
    return Session(started_at=began.isoformat(timespec="seconds"), pid=os.getpid(), host=socket.gethostname())


def _describe_session(session: Session) -> lines.Began:
    return lines.Began(started_at=session.started_at, pid=session.pid, host=session.host)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]  # a short write is legal, and what a full disk begins with
