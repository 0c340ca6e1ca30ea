"""The JSON schema says what the models say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

import harness.spec
from harness.spec.schema import json_schema, schema_text

COMMITTED = Path(harness.spec.__file__).with_name("spec-v1.json")
WHOLE = Path(__file__).with_name("whole.yaml")


def read_yaml(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


@pytest.fixture(scope="module")
def validator() -> Any:
    return jsonschema.Draft202012Validator(json_schema())


def test_the_committed_schema_is_the_models_schema() -> None:
    remedy = "the models have changed; run `harness schema > harness/spec/spec-v1.json`"
    assert COMMITTED.read_text(encoding="utf-8") == schema_text(), remedy


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_a_whole_spec_is_valid(validator: Any) -> None:
    assert [
        error.message for error in validator.iter_errors(read_yaml(WHOLE.read_text(encoding="utf-8")))
    ] == []


@pytest.mark.parametrize(
    "change",
    [
        "{version: 2}",
        "{nam: x}",
        "{name: Big}",
        "{tasks: {}}",
        "{tasks: {a: {type: text-classification, data: {csv: a.csv}, fodls: 3}}}",
        "{tasks: {Big: {type: text-classification, data: {csv: a.csv}}}}",
        "{tasks: {a: {type: text-classification, data: {csv: a.csv, asset: b}}}}",
        "{arms: {a: {head_lr: -1}}}",
        "{arms: {a: {head_lr: {log: [1e-4]}}}}",
        "{arms: {a: {freeze_depth: most}}}",
        "{arms: {a: {schedule: {int: [1, 2]}}}}",
        "{baselines: [guess]}",
        "{search: {trials: 0}}",
        "{budget: {finish_by: '7:00'}}",
        "{compute: {workers: some}}",
    ],
)
def test_what_the_models_refuse_the_schema_refuses(validator: Any, change: str) -> None:
    spec = read_yaml(WHOLE.read_text(encoding="utf-8")) | read_yaml(change)
    assert not validator.is_valid(spec)


def test_every_key_has_its_sentence() -> None:
    def parts(part: Any) -> Any:
        if isinstance(part, dict):
            yield part
            for inner in part.values():
                yield from parts(inner)
        if isinstance(part, list):
            for inner in part:
                yield from parts(inner)

    schema = json.loads(schema_text())
    bare = [
        key
        for part in (schema, *schema["$defs"].values())
        for key, inner in part["properties"].items()
        if "description" not in inner
    ]
    assert bare == []
    assert not [part for part in parts(schema) if isinstance(part.get("title"), str) and part is not schema]
