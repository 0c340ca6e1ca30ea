"""Reading a ledger: its lines become trials, and what does not verify is counted and said."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from harness.candidate import Candidate
from harness.errors import StorageError
from harness.record import lines
from harness.record.history import Session, TrialRecord
from harness.record.scores import FoldScore

Trials = dict[tuple[str, int], TrialRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was found in a ledger's file."""

    trials: Trials
    sessions: tuple[Session, ...]
    damage: tuple[str, ...]
    torn: str
    next_number: int
    lost: int  # numbers of lines that are missing, or do not verify
    good_bytes: int  # what remains after an unfinished last line is cut


def read_lines(path: Path) -> Reading:
    """Return what the lines of a ledger say; raises `StorageError` for one in a newer format."""
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    trials: Trials = {}
    sessions: list[Session] = []
    numbers: set[int] = set()
    bad: list[int] = []
    for place, line in enumerate(data[:whole].split(b"\n")[:-1], start=1):
        decoded = lines.decode_line(line)
        if decoded is None:
            bad.append(place)
            continue
        _refuse_newer(path, line)
        numbers.add(decoded.number)
        enter(trials, decoded.event)
        _enter_session(sessions, decoded)
    last = max(numbers, default=0)
    return Reading(
        trials=trials,
        sessions=tuple(sessions),
        damage=_describe_damage(path, bad, last, last - len(numbers)),
        torn=_describe_torn(path, len(data) - whole, last),
        next_number=last + 1,
        lost=last - len(numbers),
        good_bytes=whole,
    )


def _refuse_newer(path: Path, line: bytes) -> None:
    if not line.startswith(b'{"v":%d,' % lines.VERSION):
        raise StorageError(
            f"{path}: written in version {lines.version_of(line)} of the ledger's format, and this harness "
            f"reads version {lines.VERSION}. Use the harness that wrote it, or another results folder."
        )


def _describe_damage(path: Path, bad: list[int], last: int, missing: int) -> tuple[str, ...]:
    sentences = []
    if bad:
        shown = ", ".join(map(str, bad[:5])) + (", …" if len(bad) > 5 else "")
        sentences.append(
            f"{path}: {len(bad)} damaged lines were skipped (line {shown}); the last good line is number "
            f"{last}. Only what they recorded runs again."
        )
    if missing > len(bad):
        sentences.append(
            f"{path}: {missing - len(bad)} lines are missing before the last good line, number {last}. "
            f"Only what they recorded runs again."
        )
    return tuple(sentences)


def _describe_torn(path: Path, torn: int, last: int) -> str:
    if not torn:
        return ""
    return f"{path}: an unfinished last line of {torn} bytes was cut; the last good line is number {last}."


def _enter_session(sessions: list[Session], line: lines.Line) -> None:
    """Begin a session, or say how long the last one has lasted by now."""
    if isinstance(line.event, lines.Began):
        began = line.event
        sessions.append(Session(started_at=began.started_at, pid=began.pid, host=began.host))
    if sessions and line.at_s is not None:
        sessions[-1] = replace(sessions[-1], elapsed_s=line.at_s)


def enter(trials: Trials, event: lines.Event) -> None:
    """Add one event to the trials; what is there already is never changed or counted twice."""
    if isinstance(event, lines.Asked):
        key = (event.study, event.trial)
        trials.setdefault(key, _begin(event.study, event.trial, event.candidate))
    if isinstance(event, lines.Folded):
        score = event.score
        key = (score.study, score.trial)
        record = trials.get(key) or _begin(*key, event.candidate)
        trials[key] = _add_fold(record, score)
    if isinstance(event, lines.Tested):
        tested = trials.get((event.score.study, event.score.trial))
        if tested is not None and (tested.test is None or tested.test.state != "ok"):
            trials[event.score.study, event.score.trial] = replace(tested, test=event.score)
    if isinstance(event, lines.Ended):
        ended = trials.get((event.study, event.trial))
        if ended is not None and ended.state == "running":
            trials[event.study, event.trial] = replace(ended, state=event.state, reason=event.reason)


def _add_fold(record: TrialRecord, score: FoldScore) -> TrialRecord:
    if any(fold.key == score.key for fold in (*record.folds, *record.reduced)):
        return record
    if score.fraction < 1:
        return replace(record, reduced=(*record.reduced, score))
    return replace(record, folds=(*record.folds, score))


def _begin(study: str, trial: int, candidate: Candidate | None) -> TrialRecord:
    return TrialRecord(study=study, trial=trial, candidate=candidate, state="running")
