"""Which clock is asked for what: a wall clock that jumps must make no duration negative and no time ambiguous."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

HARNESS = Path(__file__).parents[1] / "harness"
# They ask how old files are, which the file system tells by the wall clock.
ALLOWED = ("harness/prospect/timing.py", "harness/search/cluster.py")


def list_calls() -> Iterator[tuple[str, str, ast.Call]]:
    """Yield every call of something by a dotted name: its place, the name, and the call."""
    for file in sorted(HARNESS.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                place = f"{file.relative_to(HARNESS.parent).as_posix()}:{node.lineno}"
                yield place, ast.unparse(node.func), node


def test_no_duration_is_taken_from_the_wall_clock() -> None:
    asked = [place for place, name, _ in list_calls() if name == "time.time"]
    assert [place for place in asked if place.split(":")[0] not in ALLOWED] == []


def test_every_time_of_day_has_its_zone() -> None:
    naive = [
        place
        for place, name, call in list_calls()
        if name == "datetime.utcnow" or (name == "datetime.now" and not call.args and not call.keywords)
    ]
    local = {place for place, name, _ in list_calls() if name == "datetime.now().astimezone"}
    assert [place for place in naive if place not in local] == []
