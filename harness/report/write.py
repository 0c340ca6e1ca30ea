"""A comparison in a run's folder, in every format."""

from __future__ import annotations

from pathlib import Path

from harness.judge.comparison import Comparison
from harness.record.files import write_whole
from harness.record.incumbents import Incumbents
from harness.record.lock import Provenance
from harness.report import csv, html, json, latex, markdown

FILES = {
    "json": "table.json",
    "markdown": "table.md",
    "csv": "table.csv",
    "latex": "table.tex",
    "html": "report.html",
}


def write_report(
    folder: Path,
    comparison: Comparison,
    *,
    provenance: Provenance | None = None,
    incumbents: Incumbents = html.NO_INCUMBENTS,
) -> tuple[Path, ...]:
    """Write table.json, .md, .csv and .tex, and report.html, each whole or not at all; return their paths.

    All are rendered before the first is written, so that a comparison that cannot be shown leaves the old ones.
    What the page shall say of a run's making and of its searches is left out where it is not given.
    """
    rendered = {
        "json": json.render(comparison),
        "markdown": markdown.render(comparison),
        "csv": csv.render(comparison),
        "latex": latex.render(comparison),
        "html": html.render(comparison, provenance=provenance, incumbents=incumbents),
    }
    encoded = {folder / FILES[form]: text.encode() for form, text in rendered.items()}
    for path, data in encoded.items():
        write_whole(path, data)
    return tuple(encoded)
