"""Checkpoint folders: the safe ones pass, each unsafe one is refused with a remedy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from harness.errors import ModelError
from harness.model.checkpoint import check_checkpoint, count_stored, digest_checkpoint, require_tokenizer

INDEX = "model.safetensors.index.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint of two shards with a tokenizer."""
    path = tmp_path / "checkpoint"
    path.mkdir()
    for name in ("a", "b"):
        save_file({name: np.zeros((3, 4), np.float32)}, path / f"{name}.safetensors")
    write(path / INDEX, {"weight_map": {"a": "a.safetensors", "b": "b.safetensors"}})
    write(path / "config.json", {"model_type": "bert", "num_hidden_layers": 2})
    write(path / "tokenizer_config.json", {"model_max_length": 512})
    (path / "vocab.txt").write_text("[PAD]\n")
    return path


def write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))


def write_text(path: Path, text: str) -> None:
    path.write_text(text)


def edit(path: Path, **changes: object) -> None:
    write(path, json.loads(path.read_text()) | changes)


def name_shard(name: str) -> Callable[[Path], None]:
    return lambda folder: write(folder / INDEX, {"weight_map": {"a": "a.safetensors", "b": name}})


def pickle_only(folder: Path) -> None:
    (folder / INDEX).unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")


def cut_short(folder: Path) -> None:
    file = folder / "b.safetensors"
    file.write_bytes(file.read_bytes()[:-4])


def link_out(folder: Path) -> None:
    shutil.move(folder / "b.safetensors", folder.parent / "outside.safetensors")
    (folder / "b.safetensors").symlink_to("../outside.safetensors")


UNSAFE: dict[str, tuple[Callable[[Path], None], str]] = {
    "no configuration": (lambda f: (f / "config.json").unlink(), r"holds no config\.json"),
    "broken configuration": (lambda f: write_text(f / "config.json", "{"), "cannot be read as JSON"),
    "brackets": (lambda f: write_text(f / "config.json", "[" * 100_000), "cannot be read as JSON"),
    "a list": (lambda f: write(f / "config.json", []), "is no JSON object"),
    "own code": (lambda f: edit(f / "config.json", auto_map={"AutoModel": "evil.Evil"}), "'auto_map'"),
    "own tokenizer code": (lambda f: edit(f / "tokenizer_config.json", auto_map={}), "'auto_map'"),
    "own code within": (lambda f: edit(f / "config.json", text_config={"auto_map": {}}), "'auto_map'"),
    "foreign attention": (
        lambda f: edit(f / "config.json", _attn_implementation="someone/kernel"),
        "'_attn_implementation' is 'someone/kernel'",
    ),
    "other weights": (lambda f: edit(f / "config.json", transformers_weights="x"), "'transformers_weights'"),
    "quantized": (lambda f: edit(f / "config.json", quantization_config={"bits": 4}), "quantized"),
    "adapter": (lambda f: write(f / "adapter_config.json", {}), "holds an adapter"),
    "a billion layers": (lambda f: edit(f / "config.json", num_hidden_layers=10**9), r"is 1e\+09"),
    "a billion in a list": (lambda f: edit(f / "config.json", depths=[2, 10**9]), r"is 1e\+09"),
    "pickle": (pickle_only, "pickled weights only"),
    "no weights": (lambda f: (f / INDEX).unlink(), "holds no weights"),
    "no weight map": (lambda f: write(f / INDEX, {"weight_map": ["a"]}), "'weight_map' does not say"),
    "shard above": (
        name_shard("../outside.safetensors"),
        r"names '\.\./outside\.safetensors', which lies outside",
    ),
    "shard absolute": (name_shard("/etc/outside.safetensors"), "lies outside the folder"),
    "shard elsewhere": (name_shard("sub\\outside.safetensors"), "lies outside the folder"),
    "shard pickled": (name_shard("b.bin"), r"is no \.safetensors file"),
    "shard missing": (name_shard("c.safetensors"), "is not there"),
    "link out": (link_out, "a link that leads out of its folder"),
    "cut short": (cut_short, r"is no whole \.safetensors file"),
}


def test_a_sound_folder_passes(folder: Path) -> None:
    check_checkpoint(folder)
    assert count_stored(folder) == 24


@pytest.mark.parametrize("case", UNSAFE)
def test_an_unsafe_folder_is_refused_with_its_name(folder: Path, case: str) -> None:
    spoil, message = UNSAFE[case]
    spoil(folder)
    with pytest.raises(ModelError, match=message) as caught:
        check_checkpoint(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_links_within_the_hubs_cache_are_followed(folder: Path, tmp_path: Path) -> None:
    repository = tmp_path / "models--someone--model"
    snapshot = repository / "snapshots" / "0123abc"
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    for file in folder.iterdir():
        shutil.copy(file, repository / "blobs" / file.name)
        (snapshot / file.name).symlink_to(Path("../../blobs") / file.name)
    check_checkpoint(snapshot)
    assert digest_checkpoint(snapshot) == digest_checkpoint(folder)
    (snapshot / "vocab.txt").unlink()
    (snapshot / "vocab.txt").symlink_to(folder / "vocab.txt")
    with pytest.raises(ModelError, match="a link that leads out"):
        check_checkpoint(snapshot)


def test_a_digest_depends_on_content_alone(folder: Path, tmp_path: Path) -> None:
    digest = digest_checkpoint(folder)
    copy = tmp_path / "elsewhere"
    shutil.copytree(folder, copy)
    os.utime(copy / "config.json", (1, 1))
    (copy / "README.md").write_text("of no consequence")
    assert digest_checkpoint(copy) == digest
    for name in ("config.json", "a.safetensors", "vocab.txt", INDEX):
        spoilt = tmp_path / f"spoilt-{name}"
        shutil.copytree(folder, spoilt)
        (spoilt / name).write_bytes((folder / name).read_bytes() + b" ")
        assert digest_checkpoint(spoilt) != digest
    (copy / "vocab.txt").rename(copy / "vocab_other.txt")
    assert digest_checkpoint(copy) != digest


def test_checking_a_folder_imports_no_torch(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from harness.model.checkpoint import *; import harness.model.load;"
        f"import harness.model.layers, harness.model.hub; check_checkpoint(Path({str(folder)!r}));"
        f"digest_checkpoint(Path({str(folder)!r}));"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_a_checkpoint_of_texts_without_any_tokenizer_is_refused(tiny_bert: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_bert, tmp_path / "bare"))
    require_tokenizer(folder)
    for file in (*folder.glob("tokenizer*"), *folder.glob("vocab*")):
        file.unlink()
    with pytest.raises(ModelError, match="bare: its tokenizer is missing: put the checkpoint's tokenizer files"):
        require_tokenizer(folder)
