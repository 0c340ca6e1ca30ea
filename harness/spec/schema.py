"""The JSON schema of a spec, by which an editor completes and checks it."""

from __future__ import annotations

import json
import re

from harness.spec.models import spec_model

_PLUGIN = re.compile(r"^[a-z_]+__(readers|methods)__(\w+)__Options$")


def json_schema() -> dict[str, object]:
    """Return the JSON schema of version 1, with every plug-in known to this process."""
    schema = spec_model().model_json_schema(mode="validation")
    names = {name: _rename(name) for name in schema["$defs"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A suite of the harness, version 1",
        **_tidy({key: part for key, part in schema.items() if key not in ("$defs", "title")}, names),
        "$defs": {names[name]: _tidy(part, names) for name, part in sorted(schema["$defs"].items())},
    }


def schema_text() -> str:
    """Return the JSON schema as `harness schema` prints it and `spec-v1.json` holds it."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


def _rename(name: str) -> str:
    """Return a part's name: pydantic tells apart the plug-ins, which are all called Options, by their modules."""
    plugin = _PLUGIN.match(name)
    return f"{plugin[1]}.{plugin[2]}" if plugin else name.lower().replace("task_", "tasks.")


def _tidy(part: dict[str, object], names: dict[str, str]) -> dict[str, object]:
    """Return a part of a schema without made-up titles, closed to unknown names and with renamed references."""
    tidy: dict[str, object] = {}
    for key, value in part.items():
        if key == "title":
            continue
        if key == "$ref":
            tidy[key] = "#/$defs/" + names[str(value).rpartition("/")[2]]
        elif key in ("properties", "patternProperties") and isinstance(value, dict):
            tidy[key] = {name: _tidy(inner, names) for name, inner in value.items()}
        elif isinstance(value, dict):
            tidy[key] = _tidy(value, names)
        elif isinstance(value, list):
            tidy[key] = [_tidy(item, names) if isinstance(item, dict) else item for item in value]
        else:
            tidy[key] = value
    if "patternProperties" in tidy:
        tidy["additionalProperties"] = False
    return tidy
