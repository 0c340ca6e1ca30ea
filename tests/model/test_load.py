"""Loading: what is fresh, what is refused, what stays quiet."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from harness.errors import ModelError
from harness.machine import read_machine
from harness.model.batch import call_logits, make_dummy_batch
from harness.model.frozen import digest_frozen
from harness.model.load import check_size, load_pretrained, reset_head
from tests.contracts.architectures import ARCHITECTURES

BERT: dict[str, Any] = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 20,
}
VIT: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "image_size": 16,
    "patch_size": 8,
}
WHISPER: dict[str, Any] = {
    "vocab_size": 40,
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "num_mel_bins": 8,
    "max_source_positions": 20,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
TEXT = "AutoModelForSequenceClassification"


def save(model: Any, folder: Path) -> Path:
    transformers.utils.logging.disable_progress_bar()
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    return save(transformers.BertModel(transformers.BertConfig(**BERT)), tmp_path / "bert")


def edit_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_base_model_gets_a_fresh_head_and_keeps_every_weight(bert: Path) -> None:
    loaded = load_pretrained(bert, TEXT, num_labels=3)
    assert loaded.fresh == {"classifier.weight", "classifier.bias"}
    saved = transformers.BertModel.from_pretrained(bert).state_dict()
    mine = loaded.model.state_dict()
    assert all(torch.equal(mine[f"bert.{name}"], tensor) for name, tensor in saved.items())
    assert not loaded.model.training


def test_a_language_model_gets_a_fresh_pooler_too(tmp_path: Path) -> None:
    folder = save(transformers.BertForMaskedLM(transformers.BertConfig(**BERT)), tmp_path / "mlm")
    fresh = load_pretrained(folder, TEXT, num_labels=3).fresh
    assert fresh == {
        "bert.pooler.dense.weight",
        "bert.pooler.dense.bias",
        "classifier.weight",
        "classifier.bias",
    }


def test_a_head_for_a_thousand_labels_becomes_a_fresh_one_for_ten(tmp_path: Path) -> None:
    config = transformers.ViTConfig(**VIT, num_labels=1000)
    folder = save(transformers.ViTForImageClassification(config), tmp_path / "vit")
    labels = {str(i): i for i in range(10)}
    loaded = load_pretrained(
        folder,
        "AutoModelForImageClassification",
        label2id=labels,
        id2label={number: label for label, number in labels.items()},
    )
    assert loaded.fresh == {"classifier.weight", "classifier.bias"}
    assert loaded.model.get_parameter("classifier.weight").shape == (10, 16)


def test_a_transcriber_becomes_a_classifier_of_sounds(tmp_path: Path) -> None:
    model = transformers.WhisperForConditionalGeneration(transformers.WhisperConfig(**WHISPER))
    folder = save(model, tmp_path / "whisper")
    loaded = load_pretrained(folder, "AutoModelForAudioClassification", num_labels=4)
    assert {name.split(".")[0] for name in loaded.fresh} == {"projector", "classifier"}
    mine = loaded.model.state_dict()
    encoder = {name: t for name, t in model.state_dict().items() if name.startswith("model.encoder.")}
    assert encoder
    assert all(torch.equal(mine[name.removeprefix("model.")], tensor) for name, tensor in encoder.items())


def test_what_was_saved_as_our_own_task_has_nothing_fresh(tmp_path: Path) -> None:
    config = transformers.BertConfig(**BERT, num_labels=3)
    folder = save(transformers.BertForSequenceClassification(config), tmp_path / "own")
    assert load_pretrained(folder, TEXT, num_labels=3).fresh == frozenset()


def test_half_precision_weights_are_trained_in_float32(tmp_path: Path) -> None:
    folder = save(transformers.BertModel(transformers.BertConfig(**BERT)).half(), tmp_path / "half")
    model = load_pretrained(folder, TEXT).model
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_sharded_weights_load(tmp_path: Path) -> None:
    model = transformers.BertModel(transformers.BertConfig(**BERT))
    model.save_pretrained(tmp_path, max_shard_size="8KB")
    assert (tmp_path / "model.safetensors.index.json").is_file()
    assert load_pretrained(tmp_path, TEXT).fresh == {"classifier.weight", "classifier.bias"}


def test_layers_are_not_dropped_and_nothing_is_masked_unless_asked(tmp_path: Path) -> None:
    config = transformers.Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        conv_dim=[8],
        conv_kernel=[10],
        conv_stride=[5],
        num_feat_extract_layers=1,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
        layerdrop=0.1,
    )
    folder = save(transformers.Wav2Vec2Model(config), tmp_path)
    kept = load_pretrained(folder, "AutoModelForAudioClassification").model.config
    assert (kept.layerdrop, kept.apply_spec_augment) == (0.0, False)  # type: ignore[union-attr]
    asked = load_pretrained(folder, "AutoModelForAudioClassification", layerdrop=0.3).model.config
    assert (asked.layerdrop, asked.apply_spec_augment) == (0.3, False)  # type: ignore[union-attr]


def test_a_model_that_cannot_be_told_not_to_mask_masks_nothing_either(tmp_path: Path) -> None:
    tiny = next(architecture for architecture in ARCHITECTURES if architecture.name == "data2vec-audio")
    still = dict.fromkeys(
        ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout", "final_dropout"),
        0.0,
    )
    masking = {
        "mask_time_prob": 0.5,
        "mask_time_length": 2,
        "mask_feature_prob": 0.5,
        "mask_feature_length": 2,
    }
    folder = save(replace(tiny, settings=tiny.settings | still | masking).build(), tmp_path)
    model = load_pretrained(folder, tiny.auto_class, num_labels=tiny.labels).model.train()
    batch = make_dummy_batch(model)
    assert torch.equal(call_logits(model, batch), call_logits(model, batch))


def test_loading_is_silent(bert: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load_pretrained(bert, TEXT, num_labels=3)
    assert capfd.readouterr() == ("", "")


def test_a_head_is_reproducible_from_its_seed_in_another_process(bert: Path) -> None:
    heads = []
    for _ in range(2):
        loaded = load_pretrained(bert, TEXT, num_labels=3)
        torch.rand(7)
        reset_head(loaded.model, loaded.fresh, seed=11)
        heads.append(digest_frozen(loaded.model, loaded.fresh))
    assert heads[0] == heads[1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab_size": 10_000_000_000}, r"'vocab_size' is 1e\+10, but the weight files hold 39 tensors of"),
        ({"vocab_size": 1e10}, r"'vocab_size' is 1e\+10, but the weight files"),
        ({"hidden_size": 1_000_000_000}, r"'hidden_size' is 1e\+09, but"),
        ({"intermediate_size": 10**12}, r"'intermediate_size' is 1e\+12, but"),
        ({"max_position_embeddings": 10**11}, r"'max_position_embeddings' is 1e\+11, but"),
        ({"num_hidden_layers": 3000}, r"'num_hidden_layers' is 3000, but the weight files hold 39 tensors"),
        ({"num_labels": 10**9}, r"'num_labels' is 1e\+09, but"),
        (
            {"vocab_size": 9_000_000},
            r"config\.json asks for 144,\d{3},\d{3} parameters, the weight files hold",
        ),
    ],
)
def test_a_lying_configuration_is_refused_at_once(
    bert: Path, changes: dict[str, object], message: str
) -> None:
    check_size(bert, TEXT)
    edit_config(bert, **changes)
    begun = time.process_time()
    with pytest.raises(ModelError, match=message) as caught:
        check_size(bert, TEXT)
    assert time.process_time() - begun < 2
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_vocabulary_that_lies_in_a_float_is_refused_as_one_line(bert: Path) -> None:
    edit_config(bert, vocab_size=1e6)
    with pytest.raises(ModelError, match="cannot be loaded as") as caught:
        check_size(bert, TEXT)
    assert "\n" not in str(caught.value)


def test_a_model_that_is_larger_than_the_machine_is_refused(tmp_path: Path) -> None:
    """Its weights lie in a file with a hole: nothing has that many bytes, and nothing reads them."""
    words = read_machine().whole_bytes // (4 * 1024)
    config = transformers.BertConfig(**BERT | {"hidden_size": 1024, "vocab_size": words})
    config.save_pretrained(tmp_path)
    shape = [words, 1024]
    tensor = {"dtype": "F32", "shape": shape, "data_offsets": [0, 4 * words * 1024]}
    header = json.dumps({"embeddings.word_embeddings.weight": tensor}).encode()
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + 4 * words * 1024)
    with pytest.raises(
        ModelError, match=r"parameters take [\d,]+ GiB in float32, and this machine has [\d,]+ GiB"
    ):
        check_size(tmp_path, TEXT)
    check_size(tmp_path, TEXT, here=False)  # a cluster's node may be larger


@pytest.mark.parametrize(
    "changes", [{"vocab_size": 1e10}, {"hidden_size": -3}, {"model_type": "no-such-model"}]
)
def test_settings_that_make_no_model_are_one_line(bert: Path, changes: dict[str, object]) -> None:
    edit_config(bert, **changes)
    with pytest.raises(ModelError) as caught:
        load_pretrained(bert, TEXT)
    assert str(bert) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_model_of_another_kind_is_refused(bert: Path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded as AutoModelForAudioClassification"):
        load_pretrained(bert, "AutoModelForAudioClassification")


def test_missing_blocks_are_refused_and_not_made_up(bert: Path) -> None:
    edit_config(bert, num_hidden_layers=3)
    with pytest.raises(
        ModelError, match=r"lacks 16 weights of the blocks, among them 'bert\.encoder\.layer\.2"
    ):
        load_pretrained(bert, TEXT)


def test_a_picture_size_that_the_checkpoint_does_not_fit_is_refused(tmp_path: Path) -> None:
    folder = save(transformers.ViTModel(transformers.ViTConfig(**VIT)), tmp_path)
    with pytest.raises(ModelError, match=r"'vit\.embeddings\.position_embeddings' has another size"):
        load_pretrained(folder, "AutoModelForImageClassification", image_size=32)


def test_a_setting_that_the_model_lacks_is_refused(bert: Path) -> None:
    with pytest.raises(ModelError, match="a bert has no setting 'hidden_dropout'"):
        load_pretrained(bert, TEXT, hidden_dropout=0.1)
