"""Times: moments that the record holds as text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from harness.record.scores import FoldScore


def end_of(fold: FoldScore) -> datetime | None:
    """Return when a fold ended, None where the record does not say."""
    began = read_time(fold.started_at)
    return None if began is None else began + timedelta(seconds=fold.fit_s)


def read_time(text: str) -> datetime | None:
    """Return a moment that the record holds, None where it holds none."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
