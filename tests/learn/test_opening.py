"""A bench opens on what the run was planned on, and on nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import DataError
from harness.learn.opening import open_bench
from harness.learn.sources import Source
from harness.learn.survey import survey_spec
from harness.spec.load import load_spec


@pytest.fixture
def source(tmp_path: Path, tiny_bert: Path) -> Source:
    (tmp_path / "rows.csv").write_text("text,label\n" + "".join(f"good {n},a\nbad {n},b\n" for n in range(6)))
    (tmp_path / "bert").symlink_to(tiny_bert)
    (tmp_path / "spec.yaml").write_text(
        "version: 1\nname: s\n"
        "tasks: {t: {type: text-classification, data: {csv: rows.csv, text: text, label: label}, max_tokens: 8}}\n"
        "backbones: {b: {model: bert}}\narms: {full: {}}\nprotocol: {folds: 2}\n"
    )
    spec = load_spec(tmp_path / "spec.yaml", allowed=[tiny_bert.parent])
    return Source(spec_json=spec.model_dump_json(), base=tmp_path, cache=tmp_path / "cache")


def test_data_that_changed_since_the_plan_are_refused(source: Source) -> None:
    planned = replace(source, data=(("t", survey_spec(source).tasks["t"].digest),))
    assert len(open_bench(planned, "t", "b").examples) == 12
    rows = source.base / "rows.csv"
    rows.write_text(rows.read_text().replace("good 3", "good 9"))
    with pytest.raises(DataError, match=r"tasks\.t: its data changed since the run was planned"):
        open_bench(planned, "t", "b")


def test_a_checkpoint_that_changed_since_the_plan_is_refused(source: Source) -> None:
    with pytest.raises(DataError, match=r"backbones\.b: its checkpoint changed"):
        open_bench(replace(source, weights=(("b", "0" * 64),)), "t", "b")
