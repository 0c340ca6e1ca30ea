"""The trunk: how many blocks, and what lies before, after and above them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from torch import nn

from harness.errors import ModelError
from harness.model.trunk import find_base, find_blocks, find_trunk

TEXT = "AutoModelForSequenceClassification"
VISION = "AutoModelForImageClassification"
SPEECH = "AutoModelForAudioClassification"

#: EfficientNet-B0, of whose blocks the Lite0 has as many.
B0 = {"width_coefficient": 1.0, "depth_coefficient": 1.0, "image_size": 224, "hidden_dim": 1280}

DEFAULTS: dict[str, tuple[str, str, dict[str, Any], str, int]] = {
    "BERT base": (TEXT, "bert", {}, "bert.encoder.layer", 12),
    "DistilBERT": (TEXT, "distilbert", {}, "distilbert.transformer.layer", 6),
    "ViT base": (VISION, "vit", {}, "vit.layers", 12),
    "ResNet-50": (VISION, "resnet", {}, "resnet.encoder.stages", 4),
    "ConvNeXt tiny": (VISION, "convnext", {}, "convnext.encoder.stages", 4),
    "Swin tiny": (VISION, "swin", {}, "swin.encoder.layers", 4),
    "EfficientNet B0": (VISION, "efficientnet", B0, "efficientnet.encoder.blocks", 16),
    "wav2vec 2.0 base": (SPEECH, "wav2vec2", {}, "wav2vec2.encoder.layers", 12),
    "Whisper tiny": (SPEECH, "whisper", {}, "encoder.layers", 4),
}


def build(auto_class: str, model_type: str, **settings: Any) -> nn.Module:
    config = transformers.AutoConfig.for_model(model_type, **settings)
    model = getattr(transformers, auto_class).from_config(config)
    assert isinstance(model, nn.Module)
    return model.eval()


@pytest.mark.parametrize("name", DEFAULTS)
def test_models_of_default_size_have_the_blocks_their_papers_count(name: str) -> None:
    auto_class, model_type, settings, path, blocks = DEFAULTS[name]
    with torch.device("meta"):
        model = build(auto_class, model_type, **settings)
    assert find_blocks(model) == path
    assert len(list(model.get_submodule(path).children())) == blocks


WAV2VEC: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": [8, 8],
    "conv_kernel": [10, 5],
    "conv_stride": [5, 4],
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}


def test_the_same_layer_norm_is_stem_or_tail_by_when_it_runs() -> None:
    name = "wav2vec2.encoder.layer_norm.weight"
    base = find_trunk(build(SPEECH, "wav2vec2", **WAV2VEC))
    assert base.level_of(name) == 0
    stable = find_trunk(build(SPEECH, "wav2vec2", do_stable_layer_norm=True, **WAV2VEC))
    assert stable.level_of(name) == stable.tail


SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}


def test_what_is_never_called_as_a_module_is_stem() -> None:
    deberta = find_trunk(build(TEXT, "deberta-v2", vocab_size=40, relative_attention=True, **SMALL))
    assert deberta.level_of("deberta.encoder.rel_embeddings.weight") == 0
    vit = find_trunk(build(VISION, "vit", image_size=16, patch_size=8, **SMALL))
    assert vit.level_of("vit.embeddings.cls_token") == vit.level_of("vit.embeddings.position_embeddings") == 0


def test_a_norm_behind_the_blocks_is_tail_and_berts_pooler_is_head() -> None:
    vit = find_trunk(build(VISION, "vit", image_size=16, patch_size=8, **SMALL))
    assert vit.names_at(vit.tail) == {"vit.layernorm.weight", "vit.layernorm.bias"}
    bert = find_trunk(build(TEXT, "bert", vocab_size=40, **SMALL))
    assert {"bert.pooler.dense.weight", "classifier.weight"} <= bert.names_at(bert.head)
    assert bert.names_at(bert.tail) == frozenset()


def test_a_tail_that_is_new_is_head() -> None:
    fresh = frozenset({"vit.layernorm.weight"})
    vit = find_trunk(build(VISION, "vit", image_size=16, patch_size=8, **SMALL), fresh=fresh)
    assert vit.names_at(vit.tail) == {"vit.layernorm.bias"}


def test_a_convolution_between_two_blocks_freezes_with_the_one_before_it() -> None:
    model = build(TEXT, "deberta-v2", vocab_size=40, conv_kernel_size=3, conv_act="gelu", **SMALL)
    trunk = find_trunk(model)
    assert trunk.level_of("deberta.encoder.conv.conv.weight") == 1


def test_a_decoder_is_tail_and_what_it_shares_with_the_encoder_is_stem() -> None:
    model = build(
        TEXT,
        "t5",
        vocab_size=40,
        d_model=16,
        num_layers=3,
        num_heads=2,
        d_kv=8,
        d_ff=24,
        decoder_start_token_id=0,
    )
    trunk = find_trunk(model)
    assert (trunk.path, trunk.blocks) == ("transformer.encoder.block", 3)
    assert trunk.level_of("transformer.shared.weight") == 0
    assert trunk.level_of("transformer.decoder.final_layer_norm.weight") == trunk.tail


def test_the_vision_half_of_a_model_of_two_modalities_is_its_base() -> None:
    sides = {"image_size": 16, "patch_size": 8, **SMALL}
    model = build(VISION, "clip", vision_config=sides, text_config={"vocab_size": 40, **SMALL})
    assert find_base(model) == "vision_model"
    trunk = find_trunk(model)
    assert trunk.path == "vision_model.encoder.layers"
    assert {name.split(".")[0] for name in trunk.names_at(trunk.head)} == {"classifier"}


@pytest.mark.parametrize(
    ("level", "frozen_at"), [(0, {1, 2, 3}), (1, {1, 2, 3}), (3, {3}), (4, {3}), (5, set())]
)
def test_a_depth_freezes_stem_and_blocks_and_at_last_the_tail(level: int, frozen_at: set[int]) -> None:
    trunk = find_trunk(build(VISION, "vit", image_size=16, patch_size=8, **SMALL | {"num_hidden_layers": 3}))
    assert {d for d in range(4) if trunk.freezes(level, d, stem_frozen=False)} == frozen_at


def test_a_stem_can_be_frozen_by_itself() -> None:
    trunk = find_trunk(build(VISION, "vit", image_size=16, patch_size=8, **SMALL))
    assert [level for level in range(5) if trunk.freezes(level, 0, stem_frozen=True)] == [0]


class Plain(nn.Module):
    """A model without blocks."""

    main_input_name = "pixel_values"

    def __init__(self) -> None:
        super().__init__()
        self.classifier = nn.Linear(2, 2)


def test_a_model_without_blocks_is_refused() -> None:
    with pytest.raises(ModelError, match="Plain: no repeated list of blocks"):
        find_trunk(Plain())
