"""The specs that come with the project: right, about assets that exist, without a word that does nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import plugins
from harness.assets.lock import Asset
from harness.assets.recipes.rows import FIELDS
from harness.assets.store import list_assets
from harness.spec.load import load_spec
from harness.spec.models import Spec
from harness.spec.ranges import Choice, Span

FOLDER = Path(__file__).parents[1] / "benchmarks"
FILES = sorted(file for file in FOLDER.rglob("*.yaml") if "speed" not in file.relative_to(FOLDER).parts)
SCHEMA = FOLDER.parent / "harness" / "spec" / "spec-v1.json"
SEARCHED = (Span, Choice)
OF_BLOCKS = {"backbone_lr", "layer_decay"}  # mean nothing where no block is trained
OF_CLASSES = {"label_smoothing", "class_weights"}
OF_PICTURES = {"batch_norm"}


@pytest.fixture(params=FILES, ids=lambda file: file.relative_to(FOLDER).as_posix())
def file(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


@pytest.fixture
def spec(file: Path) -> Spec:
    return load_spec(file)


def assets() -> dict[str, Asset]:
    return {asset.name: asset for asset in list_assets()}


def modality(spec: Spec, task: str) -> str:
    found: str = plugins.find("tasks", spec.tasks[task].type).MODALITY
    return found


def named_assets(spec: Spec) -> Iterator[tuple[str, str]]:
    """Yield what names an asset, and the asset."""
    for name, backbone in spec.backbones.items():
        assert backbone.model.startswith("asset:")
        yield f"backbones.{name}", backbone.model.removeprefix("asset:")
    for name, task in spec.tasks.items():
        yield f"tasks.{name}", str(task.data.model_dump()["asset"])


def test_there_are_specs_of_every_modality() -> None:
    names = {file.relative_to(FOLDER).as_posix() for file in FILES}
    assert {"quickstart.yaml", "tour.yaml", "overnight.yaml"} <= names
    assert {name.partition("/")[0] for name in names if "/" in name} >= {"text", "vision", "speech"}


def test_it_validates_and_is_called_as_its_file(file: Path, spec: Spec) -> None:
    assert spec.name == file.stem


def test_its_name_is_its_own(spec: Spec) -> None:
    assert [load_spec(other).name for other in FILES].count(spec.name) == 1  # runs lie side by side by name


def test_it_says_what_it_is_for_and_where_its_schema_lies(file: Path, spec: Spec) -> None:
    first, *rest = file.read_text(encoding="utf-8").splitlines()
    schema = re.fullmatch(r"# yaml-language-server: \$schema=(.+)", first)
    assert schema
    assert (file.parent / schema[1]).resolve() == SCHEMA
    assert rest[0].startswith("# ")
    assert spec.description.endswith(".")


def test_it_names_only_assets_that_exist_and_fit(spec: Spec) -> None:
    known = assets()
    for where, name in named_assets(spec):
        assert name in known, where
        assert known[name].kind == ("model" if where.startswith("backbones") else "data"), where


def test_every_backbone_has_a_task_and_every_task_a_backbone(spec: Spec) -> None:
    known = assets()
    reads = [known[backbone.model.removeprefix("asset:")].modality for backbone in spec.backbones.values()]
    assert set(reads) == {modality(spec, task) for task in spec.tasks}


def test_its_data_are_of_the_tasks_modality(spec: Spec) -> None:
    known = assets()
    for name, task in spec.tasks.items():
        assert known[task.data.model_dump()["asset"]].modality == modality(spec, name)


def test_its_columns_are_among_those_that_assets_have(spec: Spec) -> None:
    for task in spec.tasks.values():
        columns = {task.data.label, task.data.group, task.data.id, task.data.weight} - {None}
        assert columns <= set(FIELDS.names)


def test_every_key_of_its_arms_does_something(spec: Spec) -> None:
    kinds = {plugins.find("tasks", task.type).TARGET for task in spec.tasks.values()}
    modalities = {modality(spec, task) for task in spec.tasks}
    for name, arm in spec.arms.items():
        given = arm.model_fields_set
        assert not (arm.freeze_depth == "all" and given & OF_BLOCKS), name
        assert not (kinds == {"values"} and given & OF_CLASSES), name
        assert not ("image" not in modalities and given & OF_PICTURES), name


def test_its_arms_differ(spec: Spec) -> None:
    arms = [arm.model_dump_json() for arm in spec.arms.values()]
    assert len(set(arms)) == len(arms)


def test_its_trials_have_something_to_search(spec: Spec) -> None:
    for name, arm in spec.arms.items():
        assert any(isinstance(getattr(arm, key), SEARCHED) for key in arm.model_fields_set), name


def test_its_search_keys_are_used(spec: Spec) -> None:
    given = spec.search.model_fields_set
    if "startup" in given:
        assert spec.search.sampler == "tpe" or spec.search.pruner == "median"
        assert spec.search.startup < spec.search.trials


def test_no_correlation_is_asked_of_a_constant(spec: Spec) -> None:
    metrics = {task.metric for task in spec.tasks.values()}
    assert not ("majority" in spec.baselines and metrics & {"pearson", "spearman"})


def test_the_speech_spec_says_how_its_packages_are_installed() -> None:
    from harness.assets.recipes.languages import RECORDINGS

    text = (FOLDER / "speech" / "languages.yaml").read_text(encoding="utf-8")
    assert "apt-get install" in text
    assert all(recording.package in text for recording in RECORDINGS)


def test_the_night_ends_at_seven() -> None:
    assert load_spec(FOLDER / "overnight.yaml").budget.finish_by == "07:00"
