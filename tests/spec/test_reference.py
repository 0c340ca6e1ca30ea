"""The reference names every key."""

from __future__ import annotations

from typing import Any

from harness.spec.reference import spec_reference
from harness.spec.schema import json_schema


def test_every_key_of_the_schema_stands_in_the_reference() -> None:
    reference = spec_reference()
    schema: Any = json_schema()
    for part in (schema, *schema["$defs"].values()):
        for key, inner in part["properties"].items():
            assert f"| `{key}` |" in reference, key
            if key in ("type", "method"):  # said once, with what all plug-ins of a kind share
                continue
            assert " ".join(inner["description"].split()) in reference, key


def test_the_reference_says_types_and_defaults() -> None:
    reference = spec_reference()
    assert "| `trials` | whole number, at least 1, at most 100000 | `20` |" in reference
    assert "| `csv` | path | required | The file, relative to the spec's folder. |" in reference
    assert "| `batch_norm` | fixed or trained; or searched: `{choice: [...]}` | `fixed` |" in reference
    assert "| `workers` | `auto` or whole number, at least 1, at most 1024 | `auto` |" in reference
