"""The door: names, sizes, HARNESS_ASSETS, and what importing it costs."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.assets.cache import cached_folder
from harness.assets.lock import find_entry, list_entries, recipe_digest
from harness.assets.store import (
    asset_folder,
    download_size,
    fetch_asset,
    find_asset,
    list_assets,
    verify_asset,
)
from harness.errors import AssetError, SpecError

ROOT = Path(__file__).parents[2]


def test_every_asset_of_the_lock_is_complete() -> None:
    for asset in list_entries():
        assert asset.modality in ("text", "image", "audio")
        assert asset.kind in ("model", "data", "tool")
        assert asset.licence
        assert asset.upstream.startswith("https://")
        module, function = asset.recipe.split(":")
        assert callable(getattr(importlib.import_module(f"harness.assets.recipes.{module}"), function))
        for member in asset.members:
            assert re.fullmatch(r"[0-9a-f]{64}|", member.sha256)
            for place in member.places:
                assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in place.package.sha256)
    assert len({recipe_digest(asset) for asset in list_entries()}) == len(list_entries())


def test_speech_that_no_human_spoke_says_so() -> None:
    assert find_asset("words").synthetic
    assert "Synthetic" in find_asset("words").description
    assert [asset.name for asset in list_assets() if asset.synthetic] == ["words"]


def test_tools_are_not_offered() -> None:
    assert "espeak" not in {asset.name for asset in list_assets()}
    assert {"minilm-l6", "efficientnet-lite0", "whisper-tiny.en", "words"} <= {a.name for a in list_assets()}


def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(SpecError, match=r"no asset is called 'minilm-l5'\. Did you mean 'minilm-l6'\?"):
        fetch_asset("minilm-l5", offline=False)
    with pytest.raises(SpecError, match=r"Known: minilm-l6, .*words"):
        find_asset("zzz")


def test_the_size_counts_a_shared_package_once(house: Path) -> None:
    one = find_asset("vader-movies").download_bytes
    assert one > 2_000_000
    assert download_size(["vader-movies", "vader-tweets", "vader"]) == one
    assert download_size(["digits"]) == 0
    assert download_size(["words"]) == find_asset("words").download_bytes > 9_000_000


def test_what_needs_no_download_is_built_offline(house: Path) -> None:
    folder = fetch_asset("digits", offline=True)
    assert asset_folder("digits") == folder
    verify_asset("digits")


def test_verifying_what_is_not_here_names_the_command(house: Path) -> None:
    with pytest.raises(AssetError, match="`harness assets fetch minilm-l6`"):
        verify_asset("minilm-l6")


def test_a_folder_filled_by_hand_is_used_first(
    house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own" / "minilm-l6"
    own.mkdir(parents=True)
    (own / "config.json").write_text("{}")
    (own / "model.safetensors").write_bytes(b"")
    monkeypatch.setenv("HARNESS_ASSETS", str(tmp_path / "own"))
    assert fetch_asset("minilm-l6", offline=True) == own
    assert download_size(["minilm-l6"]) == 0


def test_a_copy_of_the_cache_serves_as_it_is(
    house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = fetch_asset("digits", offline=True)
    built.parent.rename(tmp_path / "copy")
    monkeypatch.setenv("HARNESS_ASSETS", str(tmp_path / "copy"))
    assert asset_folder("digits") == tmp_path / "copy" / cached_folder(find_entry("digits")).name


def test_half_a_folder_of_ones_own_is_named_not_replaced(
    house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own" / "minilm-l6"
    own.mkdir(parents=True)
    (own / "config.json").write_text("{}")
    monkeypatch.setenv("HARNESS_ASSETS", str(tmp_path / "own"))
    with pytest.raises(AssetError, match=r"minilm-l6: 'model\.safetensors' is missing; complete the folder"):
        fetch_asset("minilm-l6", offline=False)


def test_a_folder_that_is_none_is_named(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_ASSETS", "/nowhere/at/all")
    with pytest.raises(AssetError, match="HARNESS_ASSETS is '/nowhere/at/all', which is no folder"):
        asset_folder("minilm-l6")


def test_the_door_is_light() -> None:
    heavy = ("torch", "transformers", "sklearn", "pyarrow", "ray", "optuna")
    program = f"""
import sys
from harness.assets.store import asset_folder, list_assets
[asset_folder(asset.name) for asset in list_assets()]
print([name for name in {heavy} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
