"""How a run stands, as text for a terminal of any width, one line, or a document."""

from __future__ import annotations

import socket
from dataclasses import asdict
from datetime import UTC, datetime

from harness.record.troubles import Trouble
from harness.report.layout import lay_out, sanitise, shorten, wrap
from harness.report.numbers import count_noun, show_span
from harness.status import Status, TaskStatus

CAUSES = 8  # more would push the rest out of sight; all of them stand in the document
BAR = 20
NARROW = 60  # columns, below which there are no bars
CAUSE_LETTERS = 300
GOES_ON = "the same command goes on"
ENDED = {"deadline": "ended with its budget", "stopped": "stopped", "failed": "ended by a fault"}
FAR_S = 18 * 3600  # what is further away is told with its date


def render(status: Status, *, width: int = 80) -> str:
    """Return how a run stands, in lines of at most `width` columns; nothing in a name can move the cursor."""
    lines = [*wrap(f"{sanitise(status.suite)} · {_tell_phase(status)}", width)]
    if status.counts.planned:
        lines += [
            *(wrap(_tell_counts(status), width) if status.phase != "complete" else []),
            *_draw_tasks(status, width),
            *wrap(_tell_outlook(status), width, between="; "),
        ]
    lines += _tell_troubles(status, width)
    for sentence in status.damage:
        lines += wrap(sanitise(sentence), width)
    return "\n".join([*lines, *wrap(_tell_next(status), width, between=" · ")]) + "\n"


def summarize(status: Status) -> str:
    """Return how a run stands in one line, without what changes with every second."""
    parts = [sanitise(status.suite), _tell_phase(status)]
    if status.counts.planned:
        parts += [_tell_counts(status)] if status.phase != "complete" else []
        parts += [f"{count_noun(sum(each.times for each in status.troubles), 'fault')}"] * bool(
            status.troubles
        )
    return " · ".join(parts)


def describe(status: Status) -> dict[str, object]:
    """Return how a run stands as a document; times are UTC."""
    return {
        "suite": status.suite,
        "folder": str(status.folder),
        "at": _as_utc(status.at),
        "phase": status.phase,
        "owner": None if status.owner is None else asdict(status.owner),
        "since": _as_utc(status.since),
        "ended": _as_utc(status.ended),
        "last_words": status.last_words,
        "trials": asdict(status.counts),
        "fits": {"done": status.fits, "pending": status.pending},
        "tasks": [asdict(task) for task in status.tasks],
        "remaining_s": status.remaining_s,
        "deadline": _as_utc(status.deadline),
        "troubles": [
            asdict(trouble) | {"first": _as_utc(trouble.first), "last": _as_utc(trouble.last)}
            for trouble in status.troubles
        ],
        "damage": list(status.damage),
        "report": None if status.report is None else str(status.report),
        "log": None if status.log is None else str(status.log),
    }


def _tell_phase(status: Status) -> str:
    since, ended = _show_time(status.since, status), _show_time(status.ended, status)
    if status.phase == "preparing":
        return f"being prepared since {since} by {status.owner}: data and checkpoints are read"
    if status.phase == "running":
        return f"running since {since} ({status.owner})"
    if status.phase == "complete":
        return f"finished {ended}. {_tell_counts(status)}"
    if status.phase == "killed":
        return _tell_killed(status, ended)
    why = f": {sanitise(status.last_words)}" if status.last_words else ""
    return f"{ENDED[status.phase]} {ended}{why}"


def _tell_killed(status: Status, ended: str) -> str:
    last = status.last_owner
    told = "not running"
    if last is not None and last.pid is not None:
        told = f"not running: {last} has ended without a word (killed, or the machine went down)"
        if last.host != socket.gethostname():
            told = (
                f"not seen to run: {last} worked on it last. Not every shared file system tells one host of the "
                "claims of another: look there"
            )
    return f"{told}; its last fold ended {ended}" if status.ended is not None else told


def _tell_counts(status: Status) -> str:
    counts = status.counts
    told = f"{counts.complete:,} complete, {counts.pruned:,} pruned, {counts.failed:,} failed, {counts.lost:,} lost"
    if status.phase == "running":
        told += f", {counts.running:,} under way"
    if status.phase == "complete":
        return told
    return f"{told}; {counts.ended:,} of {counts.planned:,} trials"


def _draw_tasks(status: Status, width: int) -> list[str]:
    """Return a line for each task; where it is narrow the bar goes, for its numbers say as much."""
    wide = width >= NARROW
    rows = [
        (
            shorten(sanitise(task.name), max(12, width // 4)),
            *([_draw_bar(task, BAR)] if wide else []),
            f"{task.ended:,}/{task.planned:,}",
            "" if task.best is None else f"best {task.best:.3f}",
            *([sanitise(task.metric)] if wide else []),
        )
        for task in status.tasks
    ]
    return lay_out(rows) if rows else []


def _draw_bar(task: TaskStatus, columns: int) -> str:
    """Return a bar in letters that every terminal has."""
    full = columns * task.ended // task.planned if task.planned else columns
    return "#" * full + "." * (columns - full)


def _tell_outlook(status: Status) -> str:
    fits = f"{status.fits:,} of at most {status.fits + status.pending:,} fits done"
    if status.phase != "running":
        return f"{status.fits:,} fits done" if status.phase == "complete" else fits
    parts = [fits]
    if status.remaining_s is None:
        parts.append("no fit has ended yet to estimate the end from")
    elif status.pending:
        parts.append(
            f"about {show_span(status.remaining_s)} left, {_show_moment(status, status.remaining_s)}"
        )
    if status.deadline is not None:
        left_s = max(0.0, (status.deadline - status.at).total_seconds())
        parts.append(f"the budget ends {_show_time(status.deadline, status)}, in {show_span(left_s)}")
    return "; ".join(parts)


def _tell_troubles(status: Status, width: int) -> list[str]:
    lines = []
    for trouble in status.troubles[:CAUSES]:
        lines += wrap(_tell_trouble(trouble, status), width)
    if len(status.troubles) > CAUSES:
        lines += wrap(f"and {count_noun(len(status.troubles) - CAUSES, 'more cause')}: --json has all", width)
    return lines


def _tell_trouble(trouble: Trouble, status: Status) -> str:
    at = "" if trouble.first is None else f"{_show_time(trouble.first, status)} "
    times = ""
    if trouble.times > 1:
        last = "" if trouble.last is None else f", last {_show_time(trouble.last, status)}"
        times = f" ({trouble.times:,} times{last})"
    cause = sanitise(trouble.cause)
    cause = cause if len(cause) <= CAUSE_LETTERS else f"{cause[:CAUSE_LETTERS]}…"
    return f"{at}{sanitise(trouble.place)}  {cause}: {trouble.outcome}{times}"


def _tell_next(status: Status) -> str:
    parts = [] if status.report is None else [sanitise(str(status.report))]
    owner = status.owner
    if owner is not None and owner.pid is not None:
        here = owner.host == socket.gethostname()
        parts.append(f"to stop it: kill {owner.pid}" + ("" if here else f" on host {sanitise(owner.host)}"))
    elif status.phase != "complete":
        parts.append(GOES_ON)
    elif status.log is not None:
        parts.append(f"log: {sanitise(str(status.log))}")
    return " · ".join(parts)


def _show_moment(status: Status, seconds: float) -> str:
    at = datetime.fromtimestamp(status.at.timestamp() + seconds, tz=status.at.tzinfo)
    return f"until {_show_time(at, status)}"


def _show_time(at: datetime | None, status: Status) -> str:
    """Return a moment on the reader's clock, with its date where it is not near."""
    if at is None:
        return "an unknown time"
    near = abs((at - status.at).total_seconds()) < FAR_S
    return at.astimezone(status.at.tzinfo).strftime("%H:%M" if near else "%Y-%m-%d %H:%M")


def _as_utc(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds")
