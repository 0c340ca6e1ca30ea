"""The lines of a ledger: events as values, and as text that proves itself."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from harness.candidate import Candidate
from harness.record.scores import FoldScore, TrialState
from harness.record.typed import check_types

VERSION = 1
_FLOATS = ("train_score", "valid_score", "train_loss", "valid_loss", "fit_s", "cpu_s")
_SCORE_FIELDS = frozenset(field.name for field in fields(FoldScore)) - {"predictions", "traceback"}
_SEAL = 16  # hex digits of SHA-256: enough against accidents, it is no signature
_CLOSE = len(',"sum":""}') + _SEAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A trial was proposed; None is a baseline's candidate."""

    study: str
    trial: int
    candidate: Candidate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """A fold was fitted. Its trial's candidate stands beside it: a lost `asked` line costs nothing then."""

    score: FoldScore
    candidate: Candidate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What was locked away was opened for a trial that had ended."""

    score: FoldScore


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A trial came to its end."""

    study: str
    trial: int
    state: TrialState
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Began:
    """A process began to work on the run; the lines up to the next such event are its own."""

    started_at: str  # UTC, ISO 8601
    pid: int
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """An event of a kind that this version does not read; its line is kept."""

    kind: str


Event = Asked | Folded | Tested | Ended | Began | Foreign


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line that verifies: its number, its event, and the seconds since its process began to work on the run."""

    number: int
    event: Event
    at_s: float | None  # None: no process had said that it began


def encode_line(number: int, event: Event, at_s: float | None = None) -> bytes:
    """Return one line of legal JSON that ends with its own checksum and a newline."""
    head: dict[str, object] = {"v": VERSION, "n": number}
    if at_s is not None:
        head["at"] = at_s
    # allow_nan=False: a number that JSON does not know must have become text before it comes here.
    body = json.dumps(head | _body(event), separators=(",", ":"), allow_nan=False)
    return f'{body[:-1]},"sum":"{_seal(body)}"}}\n'.encode()


def decode_line(line: bytes) -> Line | None:
    """Return what a line says, None where it does not verify."""
    start = line[:-_CLOSE] + b"}"
    if line[-_CLOSE:] != f',"sum":"{_seal_bytes(start)}"}}'.encode():
        return None
    try:
        raw = json.loads(start)
        event = _event(raw) if raw["v"] == VERSION else Foreign(kind="of another version")
        return check_types(Line(number=int(raw["n"]), event=event, at_s=raw.get("at")))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None  # sealed, but by no harness: the seal is no signature, and a run may be anybody's


def version_of(line: bytes) -> int:
    """Return the version of a line that verifies."""
    return int(json.loads(line)["v"])


def _seal(body: str) -> str:
    return _seal_bytes(body.encode())


def _seal_bytes(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:_SEAL]


def _body(event: Event) -> dict[str, object]:
    if isinstance(event, Asked):
        return {
            "event": "asked",
            "study": event.study,
            "trial": event.trial,
            "candidate": _candidate_as_json(event.candidate),
        }
    if isinstance(event, Folded):
        return {
            "event": "fold",
            **_score_as_json(event.score),
            "candidate": _candidate_as_json(event.candidate),
        }
    if isinstance(event, Tested):
        return {"event": "test", **_score_as_json(event.score)}
    if isinstance(event, Ended):
        return {"event": "trial", **asdict(event)}
    if isinstance(event, Began):
        return {"event": "session", **asdict(event)}
    raise AssertionError(f"a ledger does not write events of kind {event.kind}")


def _event(raw: dict[str, Any]) -> Event:
    kind = raw["event"]
    if kind == "asked":
        return check_types(
            Asked(study=raw["study"], trial=raw["trial"], candidate=_candidate(raw["candidate"]))
        )
    if kind == "fold":
        return Folded(score=_score(raw), candidate=_candidate(raw["candidate"]))
    if kind == "test":
        return Tested(score=_score(raw))
    if kind == "trial":
        return check_types(
            Ended(study=raw["study"], trial=raw["trial"], state=raw["state"], reason=raw["reason"])
        )
    if kind == "session":
        return check_types(Began(started_at=raw["started_at"], pid=raw["pid"], host=raw["host"]))
    return Foreign(kind=str(kind))


def _score_as_json(score: FoldScore) -> dict[str, object]:
    plain = {name: getattr(score, name) for name in sorted(_SCORE_FIELDS)}
    plain |= {name: _as_legal(plain[name]) for name in _FLOATS}
    return plain | {"metrics": [[name, _as_legal(value)] for name, value in score.metrics]}


def _score(raw: dict[str, Any]) -> FoldScore:
    values = {name: value for name, value in raw.items() if name in _SCORE_FIELDS}
    values |= {name: _as_float(values[name]) for name in _FLOATS}
    values["metrics"] = tuple((str(name), float(value)) for name, value in values["metrics"])
    return check_types(FoldScore(**values))


def _candidate_as_json(candidate: Candidate | None) -> dict[str, object] | None:
    return None if candidate is None else asdict(candidate)


def _candidate(raw: dict[str, Any] | None) -> Candidate | None:
    if raw is None:
        return None
    return check_types(
        Candidate(**(raw | {"extras": tuple((str(name), value) for name, value in raw["extras"])}))
    )


def _as_legal(value: float | None) -> float | str | None:
    """Return a number as it is, "nan", "inf" or "-inf" for what JSON cannot say."""
    if value is None:
        return None
    return float(value) if math.isfinite(value) else str(float(value))


def _as_float(value: float | str | None) -> float | None:
    return None if value is None else float(value)
