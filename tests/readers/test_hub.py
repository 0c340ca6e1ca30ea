"""Datasets of the hub: what is said when they cannot be had."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.errors import AssetError, DataError, EnvironmentFault
from harness.readers.hub import Options, read, tiny

OPTIONS = Options(hub="tiny/rows", text="text", label="label")
needs_datasets = pytest.mark.skipif(not find_spec("datasets"), reason="needs the extra hub")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hub" / "datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    return tmp_path


def test_a_missing_package_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(EnvironmentFault) as caught:
        read(OPTIONS, base=tmp_path, modality="text")
    assert "hub dataset 'tiny/rows': reading the hub needs the package 'datasets'" in str(caught.value)
    assert "pip install 'finetune-harness[hub]'" in str(caught.value)


@pytest.mark.parametrize("name", ["../x", "/etc", "a/b/c", "", "https://hub/x", ".hidden/x"])
def test_only_an_id_of_the_hub_is_accepted(name: str) -> None:
    with pytest.raises(ValueError, match="must be the id of a dataset, owner/name"):
        Options(hub=name)


@needs_datasets
def test_classes_are_read_by_their_names(cache: Path) -> None:
    options, modality = tiny(cache)
    examples = read(options, base=cache, modality=modality)
    assert sorted(zip(examples.inputs, examples.targets, strict=True)) == [
        ("bad", "no"),
        ("fine", "yes"),
        ("good", "yes"),
    ]


@needs_datasets
def test_offline_a_dataset_that_was_never_fetched_is_named(cache: Path) -> None:
    with pytest.raises(AssetError, match=r"hub dataset 'tiny/rows': cannot be fetched: .*tiny/rows"):
        read(OPTIONS, base=cache, modality="text")


@needs_datasets
def test_an_unknown_part_is_named(cache: Path) -> None:
    options, modality = tiny(cache)
    with pytest.raises(DataError, match="hub dataset 'tiny/rows': Unknown split \"best\""):
        read(options.model_copy(update={"part": "best"}), base=cache, modality=modality)


@needs_datasets
def test_a_folder_of_the_same_name_is_never_read_instead(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cache / "tiny" / "rows").mkdir(parents=True)
    monkeypatch.chdir(cache)
    with pytest.raises(DataError, match="the working directory holds 'tiny/rows', which hides it"):
        read(OPTIONS, base=cache, modality="text")
