"""What the pages name exists: commands, flags, variables, files, links, columns."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from harness.cli import materials, night, suites  # noqa: F401 - importing them adds their verbs
from harness.cli.app import app
from harness.record.tables import FOLD_SCHEMA, TRIAL_SCHEMA
from tests.docs.pages import PAGES, ROOT, list_commands, list_words, name_page, read_prose

SPEC, GENERATED = ROOT / "docs" / "spec.md", "<!-- generated:"
REWRITE = (
    "{ sed '/^<!-- generated:/q' docs/spec.md; echo; harness schema --reference; } > spec.tmp"
    " && mv spec.tmp docs/spec.md"
)
HERE = [page for page in PAGES if page.exists()]
PLUGIN_FOLDERS = ("readers", "tasks", "targets", "metrics", "methods")


@pytest.mark.parametrize("page", HERE, ids=name_page)
def test_every_command_on_a_page_exists_with_its_flags(page: Path) -> None:
    for line in list_commands(page):
        words = re.split(r"[\s=]+", line.split("…")[0])
        command: Any = typer.main.get_command(app)
        for word in words[1:]:
            command = getattr(command, "commands", {}).get(word, command)
        verb = words[1] not in ("--help", "-h")
        assert not verb or not hasattr(command, "commands"), f"{name_page(page)}: no verb in '{line}'"
        for flag in (word for word in words if re.match(r"--?[a-z]", word)):
            assert flag in _flags_of(command), f"{name_page(page)}: '{line}': there is no {flag}"


@pytest.mark.parametrize("page", HERE, ids=name_page)
def test_every_flag_and_variable_that_a_page_names_alone_exists(page: Path) -> None:
    known = {flag for command in _leaves(typer.main.get_command(app)) for flag in _flags_of(command)}
    for word in list_words(page):
        if re.match(r"--[a-z]", word):
            flag = re.split(r"[\s=]", word)[0]
            assert flag in known, f"{name_page(page)}: there is no {flag}"
    code = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "harness").rglob("*.py"))
    for name in set(re.findall(r"\bHARNESS_[A-Z_]+\b", page.read_text(encoding="utf-8"))):
        assert f'"{name}"' in code, f"{name_page(page)}: nothing reads {name}"


@pytest.mark.parametrize("page", HERE, ids=name_page)
def test_every_file_and_name_of_ours_on_a_page_exists(page: Path) -> None:
    for word in list_words(page):
        if re.fullmatch(r"(harness|tests|docs|benchmarks|changelog)/[\w./*-]*", word):
            assert any(ROOT.glob(word.rstrip("/"))), f"{name_page(page)}: there is no {word}"
        if re.fullmatch(r"harness(\.\w+)+(\(.*\))?", word):
            assert _resolves(word.partition("(")[0]), f"{name_page(page)}: there is no {word}"


@pytest.mark.parametrize("page", HERE, ids=name_page)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", read_prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, heading = link.partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), f"{name_page(page)}: '{link}' leads nowhere"
        if heading:
            assert heading in _anchors(target), f"{name_page(page)}: '{link}': no such heading"


def test_the_reference_of_the_spec_is_what_the_code_says() -> None:
    # A process of its own: this one may know plug-ins of other tests.
    command = [sys.executable, "-c", "from harness.cli import main; main()", "schema", "--reference"]
    wanted = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    _, _, generated = SPEC.read_text(encoding="utf-8").partition(GENERATED)
    assert generated.partition("\n")[2].lstrip("\n") == wanted, (
        f"docs/spec.md is not what the code says. Write it again, in the repository's root:\n{REWRITE}"
    )


def test_the_command_that_writes_the_reference_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "spec.md").write_bytes(SPEC.read_bytes())
    line = REWRITE.replace(
        "harness schema", f"{sys.executable} -c 'from harness.cli import main; main()' schema"
    )
    subprocess.run(["bash", "-ec", line], cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / "docs" / "spec.md").read_text(encoding="utf-8") == SPEC.read_text(encoding="utf-8")


def test_the_list_of_files_in_the_architecture_is_the_tree() -> None:
    listed = set(
        re.findall(r"^\| `(harness/[\w/]+\.py)`", (ROOT / "docs" / "architecture.md").read_text(), re.M)
    )
    for file in sorted((ROOT / "harness").rglob("*.py")):
        path = file.relative_to(ROOT)
        plugin = path.parts[1] in PLUGIN_FOLDERS or "recipes" in path.parts
        if plugin or (file.name == "__init__.py" and len(file.read_text().splitlines()) < 15):
            continue
        if path.as_posix().startswith("harness/judge/stats/__init__"):
            continue
        assert path.as_posix() in listed, f"docs/architecture.md: {path} has no line: say its job"
        listed.discard(path.as_posix())
    assert not listed, f"docs/architecture.md: these files are gone: {sorted(listed)}"


@pytest.mark.parametrize(
    ("heading", "schema"), [("folds.parquet", FOLD_SCHEMA), ("trials.parquet", TRIAL_SCHEMA)], ids=str
)
def test_the_columns_of_a_table_are_those_that_the_page_lists(heading: str, schema: Any) -> None:
    shown = re.findall(r"^\| `([^`]+)` \| (\w+) \|", _section(heading), re.M)
    assert shown == [(field.name, str(field.type)) for field in schema]


def test_the_files_of_a_run_are_those_that_the_page_lists(finished: Path) -> None:
    import pyarrow.parquet as pq

    folder = finished / "results" / "reviews"
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    for name in {path.name if path.is_file() else path.name + "/" for path in folder.iterdir()}:
        assert f"`{name}" in page, f"docs/results.md: does not say what {name} is"

    predictions = pq.read_table(next((folder / "predictions").glob("*.parquet")))
    shown = re.findall(r"^\| `([^`]+)` \| (\w+) \|", _section("predictions/*.parquet"), re.M)
    fixed = [
        (name, kind) for name, kind in shown if "<" not in name and name not in ("weight", "cluster")
    ]  # these rows have neither
    own = [(field.name, str(field.type)) for field in predictions.schema if not field.name.startswith("p_")]
    assert own == fixed

    events = {json.loads(line)["event"] for line in (folder / "ledger.jsonl").read_text().splitlines()}
    assert events | {"test"} == set(  # this run locks nothing away
        re.findall(r"^\| `(\w+)` \|", _section("ledger.jsonl"), re.M)
    )


def test_the_keys_of_the_table_are_those_that_the_page_lists(finished: Path) -> None:
    table = json.loads((finished / "results" / "reviews" / "table.json").read_text())
    words = set(re.findall(r"`(\w+)`", _section("table.json")))
    for part in (table, *table["tasks"], *table["cells"], *table["ranking"]):
        for key in part:
            assert key in words, f"docs/results.md: does not say what {key} is"
    cells = {
        key
        for row in re.findall(r"^\| (`.*?) \|", _section("table.json"), re.M)
        for key in re.findall(r"`(\w+)`", row)
    }
    assert cells == set(table["cells"][0])


def test_every_exit_code_has_one_row() -> None:
    codes = re.findall(r"^\| (\d+) \|", _section("Exit codes"), re.M)
    assert codes == ["0", "1", "2", "3", "4", "5", "70", "130", "143"]


def _section(heading: str) -> str:
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    return page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def _flags_of(command: Any) -> set[str]:
    flags = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    return {*flags, "--help", "-h"}


def _leaves(command: Any) -> list[Any]:
    inside = getattr(command, "commands", {})
    return [leaf for name in inside for leaf in _leaves(inside[name])] or [command]


def _resolves(dotted: str) -> bool:
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for name in parts[end:]:
            if not hasattr(found, name):
                return False
            found = getattr(found, name)
        return True
    return False


def _anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", read_prose(page), re.M)
    return {
        re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-") for heading in headings
    }
