"""Tiny random models of many architectures, made from their configurations without a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TEXT = "AutoModelForSequenceClassification"
VISION = "AutoModelForImageClassification"
SPEECH = "AutoModelForAudioClassification"

_TEXT: dict[str, Any] = {"vocab_size": 40, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
_WIDTHS: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}
_ENCODER: dict[str, Any] = {**_TEXT, **_WIDTHS, "max_position_embeddings": 40}
_DECODER: dict[str, Any] = {**_ENCODER, "num_key_value_heads": 1}
_PICTURE: dict[str, Any] = {"image_size": 16, "patch_size": 8}
_CONVOLUTIONS: dict[str, Any] = {
    "conv_dim": [8, 8],
    "conv_kernel": [10, 5],
    "conv_stride": [5, 4],
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
    "classifier_proj_size": 8,
    "vocab_size": 12,
}
_LAYER_NORM: dict[str, Any] = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
_DISENTANGLED: dict[str, Any] = {
    "relative_attention": True,
    "position_buckets": 8,
    "pos_att_type": ["p2c", "c2p"],
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "position_biased_input": False,
}
_SEQ2SEQ: dict[str, Any] = {
    **_TEXT,
    "d_model": 16,
    "encoder_layers": 3,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "decoder_start_token_id": 2,
}


@dataclass(frozen=True, slots=True)
class Architecture:
    """One architecture: its `model_type`, the class of its task, its tiny settings."""

    name: str
    model_type: str
    auto_class: str
    settings: dict[str, Any]
    uncuttable: frozenset[int] = frozenset()
    """Depths at which the proof is expected to say no."""
    manners: tuple[str, ...] = ()
    """The dearer manners of cutting that it is known to need."""
    labels: int = 3

    def build(self) -> Any:
        """Return the tiny model with random weights, in eval mode, always the same."""
        import torch
        import transformers

        settings = {"use_cache": False} | self.settings if "vocab_size" in self.settings else self.settings
        config = transformers.AutoConfig.for_model(self.model_type, num_labels=self.labels, **settings)
        with torch.random.fork_rng():
            torch.manual_seed(7)
            return getattr(transformers, self.auto_class).from_config(config).eval()


ARCHITECTURES: tuple[Architecture, ...] = (
    Architecture("bert", "bert", TEXT, _ENCODER),
    Architecture("roberta", "roberta", TEXT, _ENCODER),
    Architecture("xlm-roberta", "xlm-roberta", TEXT, _ENCODER),
    Architecture(
        "distilbert",
        "distilbert",
        TEXT,
        _TEXT | {"dim": 16, "n_layers": 3, "n_heads": 2, "hidden_dim": 320, "max_position_embeddings": 40},
    ),
    Architecture("albert", "albert", TEXT, _ENCODER | {"embedding_size": 8}, uncuttable=frozenset({0})),
    Architecture("electra", "electra", TEXT, _ENCODER | {"embedding_size": 8}),
    Architecture("deberta-v2", "deberta-v2", TEXT, _ENCODER | _DISENTANGLED, manners=("stem",)),
    Architecture(
        "modernbert",
        "modernbert",
        TEXT,
        _ENCODER
        | {"cls_token_id": 1, "sep_token_id": 2, "local_attention": 4, "global_attn_every_n_layers": 2},
    ),
    Architecture("mpnet", "mpnet", TEXT, _ENCODER, manners=("stem",)),
    Architecture("camembert", "camembert", TEXT, _ENCODER),
    Architecture("gpt2", "gpt2", TEXT, _TEXT | {"n_embd": 16, "n_layer": 3, "n_head": 2, "n_positions": 40}),
    Architecture("gpt-neox", "gpt_neox", TEXT, _ENCODER),
    Architecture("llama", "llama", TEXT, _DECODER),
    Architecture("qwen2", "qwen2", TEXT, _DECODER),
    Architecture(
        "t5",
        "t5",
        TEXT,
        _TEXT
        | {
            "d_model": 16,
            "num_layers": 3,
            "num_decoder_layers": 2,
            "num_heads": 2,
            "d_kv": 8,
            "d_ff": 24,
            "decoder_start_token_id": 0,
        },
        manners=("first",),
    ),
    Architecture("bart", "bart", TEXT, _SEQ2SEQ | {"max_position_embeddings": 40}),
    Architecture("vit", "vit", VISION, _WIDTHS | _PICTURE),
    Architecture(
        "deit", "deit", VISION, _WIDTHS | _PICTURE | {"architectures": ["DeiTForImageClassification"]}
    ),
    Architecture("beit", "beit", VISION, _WIDTHS | _PICTURE | {"use_relative_position_bias": True}),
    Architecture("dinov2", "dinov2", VISION, _WIDTHS | _PICTURE),
    Architecture(
        "swin",
        "swin",
        VISION,
        {
            "image_size": 64,
            "patch_size": 4,
            "embed_dim": 8,
            "depths": [1, 2, 1],
            "num_heads": [1, 2, 2],
            "window_size": 4,
        },
    ),
    Architecture(
        "resnet",
        "resnet",
        VISION,
        {"embedding_size": 8, "hidden_sizes": [8, 12, 16], "depths": [1, 2, 1], "layer_type": "basic"},
    ),
    Architecture(
        "convnext", "convnext", VISION, {"hidden_sizes": [8, 12, 16], "depths": [1, 2, 1], "num_stages": 3}
    ),
    Architecture(
        "mobilenet-v2",
        "mobilenet_v2",
        VISION,
        {"depth_multiplier": 0.25, "depth_divisible_by": 4, "min_depth": 4, "image_size": 32},
    ),
    Architecture(
        "efficientnet",
        "efficientnet",
        VISION,
        {
            "image_size": 32,
            "width_coefficient": 0.25,
            "depth_coefficient": 1.0,
            "depth_divisor": 4,
            "hidden_dim": 320,
            "in_channels": [32, 16, 24],
            "out_channels": [16, 24, 40],
            "kernel_sizes": [3, 3, 5],
            "strides": [1, 2, 2],
            "num_block_repeats": [1, 2, 1],
            "expand_ratios": [1, 6, 6],
            "depthwise_padding": [],
        },
    ),
    Architecture(
        "regnet",
        "regnet",
        VISION,
        {"embedding_size": 8, "hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 2, 1], "groups_width": 4},
    ),
    Architecture("wav2vec2-group", "wav2vec2", SPEECH, _WIDTHS | _CONVOLUTIONS),
    Architecture("wav2vec2-layer", "wav2vec2", SPEECH, _WIDTHS | _CONVOLUTIONS | _LAYER_NORM),
    Architecture("hubert", "hubert", SPEECH, _WIDTHS | _CONVOLUTIONS),
    Architecture("hubert-layer", "hubert", SPEECH, _WIDTHS | _CONVOLUTIONS | _LAYER_NORM),
    Architecture("wavlm", "wavlm", SPEECH, _WIDTHS | _CONVOLUTIONS, manners=("first",)),
    Architecture("wavlm-layer", "wavlm", SPEECH, _WIDTHS | _CONVOLUTIONS | _LAYER_NORM, manners=("first",)),
    Architecture(
        "data2vec-audio",
        "data2vec-audio",
        SPEECH,
        {k: v for k, v in (_WIDTHS | _CONVOLUTIONS).items() if k != "num_conv_pos_embeddings"}
        | {"num_conv_pos_embeddings": 2, "conv_pos_kernel_size": 3},
    ),
    Architecture(
        "ast",
        "audio-spectrogram-transformer",
        SPEECH,
        _WIDTHS
        | {"patch_size": 4, "max_length": 16, "num_mel_bins": 8, "frequency_stride": 4, "time_stride": 4},
    ),
    Architecture(
        "whisper",
        "whisper",
        SPEECH,
        _SEQ2SEQ
        | {
            "dropout": 0.1,
            "num_mel_bins": 8,
            "max_source_positions": 20,
            "max_target_positions": 20,
            "classifier_proj_size": 8,
        },
    ),
)
