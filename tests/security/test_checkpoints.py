"""A checkpoint of somebody else's: nothing of it runs, nothing outside it is read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import ModelError
from harness.model.checkpoint import check_checkpoint
from tests.security.conftest import Attack, Watched, untouched, write_suite

EVIL = "evil"  # the module that an auto_map names


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps((json.loads(path.read_text()) if path.exists() else {}) | changes))


def code_of_its_own(model: Path, attack: Attack) -> None:
    (model / f"{EVIL}.py").write_text(attack.code())
    edit(model / "config.json", auto_map={"AutoModelForSequenceClassification": f"{EVIL}.Evil"})


def tokenizer_code(model: Path, attack: Attack) -> None:
    (model / f"{EVIL}.py").write_text(attack.code())
    edit(model / "tokenizer_config.json", auto_map={"AutoTokenizer": [f"{EVIL}.Evil", None]})


def pipeline_code(model: Path, attack: Attack) -> None:
    (model / f"{EVIL}.py").write_text(attack.code())
    edit(model / "config.json", custom_pipelines={"text-classification": {"impl": f"{EVIL}.Evil"}})


def pickled_weights(model: Path, attack: Attack) -> None:
    (model / "model.safetensors").unlink()
    (model / "pytorch_model.bin").write_bytes(attack.pickle())


def shard_outside(model: Path, attack: Attack) -> None:
    shutil.move(model / "model.safetensors", attack.outside / "outside.safetensors")
    weights = {"weight_map": {"a": "../../outside/outside.safetensors"}}
    (model / "model.safetensors.index.json").write_text(json.dumps(weights))


def linked_weights(model: Path, attack: Attack) -> None:
    shutil.move(model / "model.safetensors", attack.outside / "outside.safetensors")
    (model / "model.safetensors").symlink_to(attack.outside / "outside.safetensors")


def linked_template(model: Path, attack: Attack) -> None:
    """What is a template here would be copied into the folder that is exported."""
    (model / "chat_template.jinja").symlink_to(attack.secret)


def linked_folder(model: Path, attack: Attack) -> None:
    (model / "additional_chat_templates").symlink_to(attack.outside)


def vocabulary_outside(model: Path, attack: Attack) -> None:
    edit(model / "tokenizer_config.json", vocab_file=str(attack.secret))


def pipe(model: Path, attack: Attack) -> None:
    (model / "tokenizer.json").unlink(missing_ok=True)
    os.mkfifo(model / "tokenizer.json")


def huge_tokenizer(model: Path, attack: Attack) -> None:
    with (model / "tokenizer.json").open("wb") as file:
        file.truncate(300 * 2**20)  # sparse: it takes no room


def deep_tokenizer_settings(model: Path, attack: Attack) -> None:
    (model / "tokenizer_config.json").write_text("[" * 100_000)


def type_of_lists(model: Path, attack: Attack) -> None:
    edit(model / "config.json", model_type=["bert"])


def layers_beyond_float(model: Path, attack: Attack) -> None:
    edit(model / "config.json", num_hidden_layers=10**400)


def shard_of_a_long_name(model: Path, attack: Attack) -> None:
    (model / "model.safetensors").unlink()
    weights = {"weight_map": {"a": "x" * 300 + ".safetensors"}}
    (model / "model.safetensors.index.json").write_text(json.dumps(weights))


REFUSED: dict[str, tuple[Callable[[Path, Attack], None], str]] = {
    "code of its own": (code_of_its_own, "'auto_map'"),
    "tokenizer code": (tokenizer_code, "'auto_map'"),
    "pipeline code": (pipeline_code, "'custom_pipelines'"),
    "pickled weights": (pickled_weights, "pickled weights only"),
    "a shard outside": (shard_outside, "which lies outside the folder"),
    "linked weights": (linked_weights, "is a link that leads out of its folder"),
    "a linked template": (linked_template, "is a link that leads out of its folder"),
    "a linked folder": (linked_folder, "is a link that leads out of its folder"),
    "a vocabulary outside": (vocabulary_outside, "'vocab_file' names"),
    "a pipe": (pipe, "is neither a file nor a folder"),
    "a huge tokenizer": (huge_tokenizer, "is larger than 256 MiB"),
    "deep settings": (deep_tokenizer_settings, "cannot be read as JSON"),
    "a type of lists": (type_of_lists, "'model_type' is no word"),
    "layers beyond any float": (layers_beyond_float, "'num_hidden_layers' is inf, which no model has"),
    "a shard of a long name": (shard_of_a_long_name, "which is not there. Fetch the folder again"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_checkpoint_that_attacks_is_refused_before_it_is_opened(
    attack: Attack, tiny_bert: Path, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from harness.cli.main import run

    write_suite(attack.inside, tiny_bert)
    spoil, said = REFUSED[case]
    spoil(attack.inside / "tiny-bert", attack)
    with untouched(attack.outside):
        for arguments in (["layers"], ["run"]):
            words = (
                [attack.inside / "tiny-bert"] if arguments == ["layers"] else [attack.inside / "small.yaml"]
            )
            more = ["--results", attack.inside / "results"] if arguments == ["run"] else []
            assert run([*arguments, *map(str, (*words, *more)), "--offline"]) == 3
            err = capsys.readouterr().err
            assert said in err
            assert "the-canary" not in err
    assert not attack.marker.exists()
    assert not (attack.inside / "results" / "small").exists()


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("preprocessor_config.json", {"size": {"height": 10**6, "width": 10**6}}, "'height' is 1e+06"),
        ("preprocessor_config.json", {"n_fft": 10**9}, "'n_fft' is 1e+09, more than 65,536"),
        ("preprocessor_config.json", {"feature_size": 10**9}, "'feature_size' is 1e+09"),
        ("preprocessor_config.json", {"chunk_length": 10**6}, "'chunk_length' is 1e+06"),
        ("processor_config.json", {"image_processor": {"crop_size": 10**6}}, "'crop_size' is 1e+06"),
        ("preprocessor_config.json", {"auto_map": {}}, "'auto_map'"),
    ],
)
def test_a_processor_that_asks_for_the_memory_is_refused(
    tmp_path: Path, tiny_vit: Path, name: str, settings: dict[str, object], said: str
) -> None:
    folder = tmp_path / "vit"
    shutil.copytree(tiny_vit, folder)
    check_checkpoint(folder)
    edit(folder / name, **settings)
    with pytest.raises(ModelError) as caught:
        check_checkpoint(folder)
    assert said in str(caught.value)


def test_settings_of_an_author_s_own_folder_harm_nobody(tmp_path: Path, tiny_bert: Path) -> None:
    """Many a checkpoint of 2022 names a folder of its author's, which is not here."""
    folder = tmp_path / "bert"
    shutil.copytree(tiny_bert, folder)
    edit(folder / "tokenizer_config.json", special_tokens_map_file="/home/ann/x.json", tokenizer_file=None)
    check_checkpoint(folder)


@pytest.mark.parametrize("name", ["../" + 300 * "x", "../" + "x/" * 5000])
def test_a_tokenizer_s_file_of_a_name_that_no_disk_has_is_not_there(
    tmp_path: Path, tiny_bert: Path, name: str
) -> None:
    folder = tmp_path / "bert"
    shutil.copytree(tiny_bert, folder)
    edit(folder / "tokenizer_config.json", vocab_file=name)
    check_checkpoint(folder)


@pytest.mark.whole
def test_a_checkpoint_with_strange_keys_runs_nothing_and_reads_nothing_outside(
    attack: Attack, tiny_bert: Path, harness: Callable[..., Watched], tmp_path: Path
) -> None:
    """A whole run and an export, in a folder full of modules that want to be imported."""
    write_suite(attack.inside, tiny_bert)
    model = attack.inside / "tiny-bert"
    for name in (
        "torch.py",
        "yaml.py",
        "numpy.py",
        "transformers.py",
        "sitecustomize.py",
        "modeling_bert.py",
    ):
        (model / name).write_text(attack.code())
        (attack.inside / name).write_text(attack.code())
    for name in ("accuracy", "evaluate", "datasets"):
        (attack.inside / name).mkdir()
        (attack.inside / name / "__init__.py").write_text(attack.code())
        (attack.inside / name / f"{name}.py").write_text(attack.code())
    for name in ("training_args.bin", "optimizer.pt", "pytorch_model.bin", "rng_state.pth", "scaler.joblib"):
        (model / name).write_bytes(attack.pickle())
    edit(
        model / "config.json",
        _name_or_path=str(attack.outside),
        architectures=["os.system"],
        trust_remote_code=True,
        use_pretrained_backbone=True,
    )
    edit(model / "generation_config.json", trust_remote_code=True, custom_generate=str(attack.outside))
    edit(
        model / "tokenizer_config.json",
        name_or_path=str(attack.outside),
        trust_remote_code=True,
        chat_template="{{ ''.__class__.__mro__[1].__subclasses__() }}{% include 'secret.csv' %}",
        tokenizer_class="BertTokenizer",
        processor_class="os.system",
        eval="__import__('os').system('true')",
    )
    with untouched(attack.outside):
        done = harness("run", "small.yaml", "--offline", "--quiet")
        assert done.code == 0, done.said
        exported = harness("export", "small", "--task", "mood", "--out", "model", "--offline")
        assert exported.code == 0, exported.said
    assert not attack.marker.exists()
    for each in (done, exported):
        assert each.outside(attack.inside, tmp_path / "cache", tmp_path / "notes.jsonl") == []
        assert [event for event in each.ran() if "pickle" in event[0] and "system" in event] == []
        assert each.reached() == []
    assert not [
        path for path in (attack.inside / "model").rglob("*") if path.suffix in (".py", ".bin", ".pt")
    ]
    assert "the-canary" not in "".join(
        path.read_text(errors="replace") for path in (attack.inside / "model").rglob("*") if path.is_file()
    )
