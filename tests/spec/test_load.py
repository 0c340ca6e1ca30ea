"""Loading specs: what they mean, where faults stand, what `--set` does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import SpecError
from harness.spec.load import load_spec
from harness.spec.models import BASELINES, spec_model
from harness.spec.ranges import Choice, Span

WHOLE = Path(__file__).with_name("whole.yaml")
SMALL = """\
version: 1
name: small
tasks:
  reviews:
    type: text-classification
    data: {csv: reviews.csv, text: text, label: label}
backbones:
  minilm: {model: "asset:minilm-l6"}
arms:
  full: {}
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "spec.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def faults_of(file: Path, *overrides: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load_spec(file, overrides=overrides)
    return str(caught.value).replace(f"{file}", file.name).splitlines()


def test_a_whole_spec_says_what_its_yaml_says() -> None:
    spec = load_spec(WHOLE)
    assert spec.name == "quickstart"
    assert spec.tasks["reviews"].data.group == "author"
    assert spec.tasks["pairs"].data.text == ("first", "second")
    assert spec.arms["depth"].freeze_depth == Span("int", 0, "all")
    assert spec.arms["depth"].head_lr == Span("log", 1e-4, 1e-2)
    assert spec.arms["depth"].batch_norm == Choice(("fixed", "trained"))
    assert spec.arms["head-only"].freeze_depth == "all"
    assert spec.protocol.stratify is True
    assert spec.budget.finish_by == "07:00"


def test_what_is_not_given_has_the_documented_default(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, SMALL))
    arm = spec.arms["full"]
    assert (spec.seed, spec.baselines, spec.search.trials, spec.protocol.folds) == (0, BASELINES, 20, 5)
    assert (arm.freeze_depth, arm.epochs, arm.batch_size, arm.warmup, arm.clip) == (0, 3, 32, 0.1, 1.0)


def test_a_spec_survives_json(tmp_path: Path) -> None:
    spec = load_spec(WHOLE)
    again = spec_model().model_validate_json(spec.model_dump_json())
    assert again == spec


def test_numbers_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    text = SMALL.replace("full: {}", "full: {head_lr: 1e-4, backbone_lr: .5E-4, clip: +1, batch_size: 3_2}")
    assert faults_of(write(tmp_path, text)) == [
        "spec.yaml:10:67: arms.full.batch_size must be a whole number from 1 to 100000 (got '3_2')"
    ]
    spec = load_spec(write(tmp_path, text.replace("3_2", "32")))
    assert (spec.arms["full"].head_lr, spec.arms["full"].backbone_lr) == (1e-4, 5e-5)


def test_words_that_older_yaml_took_for_truth_stay_words(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, SMALL.replace("label: label", "label: no")))
    assert spec.tasks["reviews"].data.label == "no"


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    assert load_spec(write(tmp_path, "\ufeff" + SMALL)).name == "small"


def test_windows_line_ends_are_accepted(tmp_path: Path) -> None:
    assert load_spec(write(tmp_path, SMALL.replace("\n", "\r\n"))).name == "small"


def test_faults_stand_in_the_order_of_lines(tmp_path: Path) -> None:
    file = write(
        tmp_path, SMALL.replace("name: small", "nam: small") + "search: {trials: 0}\nseed: 1\nseed: 2\n"
    )
    assert [line.split(":")[1] for line in faults_of(file)] == ["1", "2", "11", "13"]


def test_set_replaces_a_value_by_the_same_types(tmp_path: Path) -> None:
    spec = load_spec(
        write(tmp_path, SMALL),
        overrides=[
            "tasks.reviews.metric=macro-f1",
            "search.trials=3",
            "arms.full.head_lr={log: [1e-4, 1e-2]}",
            "baselines=[probe]",
        ],
    )
    assert spec.tasks["reviews"].metric == "macro-f1"
    assert spec.search.trials == 3
    assert spec.arms["full"].head_lr == Span("log", 1e-4, 1e-2)
    assert spec.baselines == ("probe",)


def test_the_last_set_wins(tmp_path: Path) -> None:
    assert load_spec(write(tmp_path, SMALL), overrides=["seed=1", "seed=2"]).seed == 2


def test_set_reaches_a_name_with_dots(tmp_path: Path) -> None:
    file = write(tmp_path, SMALL.replace("minilm:", "mini.lm.v2:"))
    assert (
        load_spec(file, overrides=["backbones.mini.lm.v2.pooling=cls"]).backbones["mini.lm.v2"].pooling
        == "cls"
    )


def test_set_mends_a_fault_of_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, SMALL + "search: {trials: -3}\n")
    assert load_spec(file, overrides=["search.trials=3"]).search.trials == 3


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("search.trials=-3", "search.trials must be at least 1 (got -3)"),
        ("search.trials='3'", "search.trials must be a whole number (got '3')"),
        ("protocol.fodls=3", "protocol: unknown key 'fodls'. Did you mean 'folds'?"),
        ("name.x=1", "name is no mapping of keys to values"),
        ("seed", "must look like KEY=VALUE"),
        ("=3", "must look like KEY=VALUE"),
        (
            "arms.full.head_lr={log: [1",
            "not YAML: expected ',' or ']', but got '<stream end>' "
            "while parsing a flow sequence that begins in line 1",
        ),
        (
            "tasks.reviews.metric=rmse",
            "tasks.reviews.metric: 'rmse' measures values, and text-classification predicts classes; "
            "fitting: accuracy, auc, balanced-accuracy, log-loss, macro-f1, mcc",
        ),
        (
            "tasks.reviews.data.csv=/etc/passwd",
            "tasks.reviews.data.csv: '/etc/passwd' is outside the spec's folder; allow it with --allow-path /etc",
        ),
        ("arms.full.dropout=\x1b[31m", "the control character U+001B is not allowed"),
    ],
)
def test_a_fault_in_set_names_the_argument(tmp_path: Path, override: str, fault: str) -> None:
    shown = override.replace("\x1b", "\\x1b")
    assert faults_of(write(tmp_path, SMALL), override) == [f"--set {shown}: {fault}"]


def test_a_path_may_leave_the_folder_where_its_user_allows_it(tmp_path: Path) -> None:
    folder = tmp_path / "specs"
    folder.mkdir()
    file = write(folder, SMALL.replace("reviews.csv", "../data/reviews.csv"))
    assert "allow it with --allow-path" in faults_of(file)[0]
    assert load_spec(file, allowed=[tmp_path / "data"]).name == "small"
    with pytest.raises(SpecError):
        load_spec(file, allowed=[tmp_path / "dat"])


def test_a_link_does_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "specs"
    folder.mkdir()
    (tmp_path / "data").mkdir()
    (folder / "data").symlink_to(tmp_path / "data")
    file = write(folder, SMALL.replace("reviews.csv", "data/reviews.csv"))
    assert "is outside the spec's folder" in faults_of(file)[0]


def test_loading_a_spec_is_light() -> None:
    heavy = ("torch", "transformers", "ray", "optuna", "sklearn", "pyarrow", "PIL", "soundfile", "datasets")
    code = (
        "import sys; from harness.spec.load import load_spec; "
        f"load_spec({str(WHOLE)!r}); print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
