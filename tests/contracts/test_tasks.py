"""Every task type, found by being there, keeps the contract."""

from __future__ import annotations

from types import ModuleType
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from harness import plugins
from harness.learn.work import open_scorer
from harness.modalities import find_modality
from harness.spec.models import BASELINES
from harness.spec.options import TaskOptions
from tests.learn.tiny import MATERIALS, build_source, make_candidate, make_job

TASKS = plugins.names("tasks")


@pytest.fixture(params=TASKS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def task(name: str) -> ModuleType:
    return plugins.find("tasks", name)


def test_its_header_is_complete(task: ModuleType) -> None:
    import transformers
    from transformers.pipelines import PIPELINE_REGISTRY

    assert task.__doc__
    assert task.MODALITY in ("text", "image", "audio")
    assert task.METRIC in plugins.names("metrics")
    assert plugins.find("metrics", task.METRIC).TARGETS == task.TARGET
    assert task.MODEL.startswith("AutoModelFor")
    assert hasattr(transformers, task.MODEL)
    assert task.PIPELINE in PIPELINE_REGISTRY.get_supported_tasks()


def test_its_options_name_it(task: ModuleType, name: str) -> None:
    hint = get_type_hints(task.Options)["type"]
    assert issubclass(task.Options, TaskOptions)
    assert get_origin(hint) is Literal
    assert get_args(hint) == (name,)
    assert all(field.description for field in task.Options.model_fields.values())


def test_its_target_and_its_modality_know_their_part(task: ModuleType) -> None:
    target, modality = plugins.find("targets", task.TARGET), find_modality(task.MODALITY)
    for part in (
        "declare_labels",
        "encode",
        "check_training",
        "head_config",
        "loss",
        "predict",
        "read_values",
    ):
        assert callable(getattr(target, part))
    assert isinstance(target.STRATIFIED, bool)
    for part in (
        "load_processor",
        "encode",
        "adapt_config",
        "adapt_model",
        "describe_classical",
        "present",
        "describe_use",
    ):
        assert callable(getattr(modality, part))


def test_it_trains_one_fold_and_every_baseline_on_a_tiny_checkpoint(
    request: pytest.FixtureRequest, name: str
) -> None:
    assert name in MATERIALS, f"give tests.learn.tiny.MATERIALS data and a checkpoint for {name}"
    scorer = open_scorer(build_source(request, name), 1)
    scores = [scorer(make_job(make_candidate(1)))]
    scores += [scorer(make_job(None, arm=baseline)) for baseline in BASELINES]
    for score in scores:
        assert score.state == "ok"
        assert score.predictions is not None
        assert len(score.predictions.values) == len(score.predictions.targets) == len(score.predictions.ids)
