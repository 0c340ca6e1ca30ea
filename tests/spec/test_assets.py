"""Which assets a spec needs."""

from __future__ import annotations

from pathlib import Path

from harness.spec.assets import list_assets_of
from harness.spec.load import load_spec


def test_the_assets_of_backbones_and_data_are_named_once(tmp_path: Path) -> None:
    file = tmp_path / "suite.yaml"
    file.write_text(
        "version: 1\nname: s\n"
        "tasks:\n"
        "  a: {type: text-classification, data: {csv: rows.csv, text: text, label: label}}\n"
        "  b: {type: image-classification, data: {asset: animals}}\n"
        "  c: {type: image-classification, data: {asset: animals}, metric: macro-f1}\n"
        "backbones:\n"
        "  one: {model: 'asset:minilm-l6'}\n"
        "  two: {model: 'somebody/bert'}\n"
        "arms: {full: {}}\n"
    )
    assert list_assets_of(load_spec(file)) == ("minilm-l6", "animals")
