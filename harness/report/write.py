"""A comparison in a run's folder, in every format."""

from __future__ import annotations

from pathlib import Path

from harness.judge.comparison import Comparison
from harness.record.files import write_whole
from harness.report import csv, json, markdown

FORMATS = (("table.json", json.render), ("table.md", markdown.render), ("table.csv", csv.render))


def write_report(folder: Path, comparison: Comparison) -> tuple[Path, ...]:
    """Write table.json, table.md and table.csv, each whole or not at all; return their paths.

    All are rendered before the first is written, so that a comparison that cannot be shown leaves the old ones.
    """
    rendered = [(folder / name, render(comparison).encode()) for name, render in FORMATS]
    for path, data in rendered:
        write_whole(path, data)
    return tuple(path for path, _ in rendered)
