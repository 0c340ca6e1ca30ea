"""OpenAI's Whisper from CTranslate2's half-precision files to an ordinary `WhisperForConditionalGeneration`.

Weights are stored as float32 (the source's float16 widened), because transformers loads a checkpoint in the
precision in which it is stored. CTranslate2 fuses query, key and value into one matrix, for which the key's
bias is zero; transformers has no such bias. The output projection is tied to the token embeddings.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.assets.recipes.ctranslate import read_variables

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import WhisperConfig

Weights = dict[str, NDArray[np.float32]]

HEAD_WIDTH = 64  # of one attention head, in every Whisper
LANGUAGES = 99  # of the multilingual models up to large-v2
MULTILINGUAL_VOCABULARY = 51865  # one word more than that of the English models
_PLAIN = {
    "conv1": "conv1",
    "conv2": "conv2",
    "layer_norm": "layer_norm",
    "embeddings": "embed_tokens",
    "position_encodings": "embed_positions",
    "ffn/layer_norm": "final_layer_norm",
    "ffn/linear_0": "fc1",
    "ffn/linear_1": "fc2",
    "self_attention/layer_norm": "self_attn_layer_norm",
    "self_attention/linear_1": "self_attn.out_proj",
    "attention/layer_norm": "encoder_attn_layer_norm",
    "attention/linear_0": "encoder_attn.q_proj",
    "attention/linear_2": "encoder_attn.out_proj",
}
_FUSED = {
    "self_attention/linear_0": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "attention/linear_1": ("encoder_attn.k_proj", "encoder_attn.v_proj"),
}
_LEAVES = {"gamma": "weight", "beta": "bias", "weight": "weight", "bias": "bias", "encodings": "weight"}


def build_whole(sources: Mapping[str, Path], out: Path) -> None:
    """Convert a model whose `model.bin` lies in one piece."""
    _build(sources["model.bin"], sources, out)


def build_halves(sources: Mapping[str, Path], out: Path) -> None:
    """Convert a model whose `model.bin` was cut in two to pass a size limit."""
    joined = out.with_name("model.bin")
    with joined.open("wb") as whole:
        for part in ("model.bin.part1", "model.bin.part2"):
            with sources[part].open("rb") as half:
                shutil.copyfileobj(half, whole)
    _build(joined, sources, out)


def _build(weights: Path, sources: Mapping[str, Path], out: Path) -> None:
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer
    from transformers import WhisperFeatureExtractor

    tensors = dict(_convert(read_variables(weights)))
    tokenizer = Tokenizer.from_file(str(sources["tokenizer.json"]))
    config = _make_config(tensors, tokenizer)
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    config.save_pretrained(out)
    _write_generation(json.loads(sources["config.json"].read_text()), config, tokenizer, out)
    _write_tokenizer(sources["tokenizer.json"], out)
    extractor = WhisperFeatureExtractor(feature_size=config.num_mel_bins)  # type: ignore[no-untyped-call]  # untyped upstream
    extractor.save_pretrained(out)


def _convert(variables: Weights) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield transformers' names and tensors for CTranslate2's."""
    for name, values in variables.items():
        if not values.ndim:
            continue  # the scale of the embeddings, which is 1
        side, *middle, leaf = name.split("/")
        layer = ""
        if middle[0].startswith("layer_") and middle[0] != "layer_norm":
            layer = f"layers.{middle.pop(0).removeprefix('layer_')}."
        part = "/".join(middle)
        prefix = f"model.{side}.{layer}"
        if part in _PLAIN:
            yield f"{prefix}{_PLAIN[part]}.{_LEAVES[leaf]}", values
            continue
        targets = _FUSED[part]
        for target, piece in zip(targets, np.split(values, len(targets)), strict=True):
            if leaf == "bias" and target.endswith("k_proj"):
                assert not piece.any(), "Whisper's keys have no bias"
                continue
            yield f"{prefix}{target}.{leaf}", np.ascontiguousarray(piece)


def _make_config(tensors: Weights, tokenizer: Tokenizer) -> WhisperConfig:
    """Read every size off the tensors and every special token off the tokenizer."""
    from transformers import WhisperConfig

    vocabulary, width = tensors["model.decoder.embed_tokens.weight"].shape
    layers = {
        side: len({name.split(".")[3] for name in tensors if name.startswith(f"model.{side}.layers.")})
        for side in ("encoder", "decoder")
    }
    end, start = _token(tokenizer, "<|endoftext|>"), _token(tokenizer, "<|startoftranscript|>")
    return WhisperConfig(
        architectures=["WhisperForConditionalGeneration"],
        vocab_size=vocabulary,
        num_mel_bins=tensors["model.encoder.conv1.weight"].shape[1],
        d_model=width,
        encoder_layers=layers["encoder"],
        decoder_layers=layers["decoder"],
        encoder_attention_heads=width // HEAD_WIDTH,
        decoder_attention_heads=width // HEAD_WIDTH,
        encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width,
        max_source_positions=tensors["model.encoder.embed_positions.weight"].shape[0],
        max_target_positions=tensors["model.decoder.embed_positions.weight"].shape[0],
        decoder_start_token_id=start,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
    )


def _write_generation(
    source: Mapping[str, list[int]], config: WhisperConfig, tokenizer: Tokenizer, out: Path
) -> None:
    """Write how the model decodes: suppressed tokens, and languages and tasks where it is multilingual."""
    from transformers import GenerationConfig

    multilingual = config.vocab_size >= MULTILINGUAL_VOCABULARY
    more: dict[str, object] = {"is_multilingual": multilingual}
    if multilingual:
        more["lang_to_id"] = {tokenizer.id_to_token(token): token for token in _language_tokens(tokenizer)}
        # Without a task transformers asks for no task token, and the model repeats itself.
        more["task"] = "transcribe"
        more["task_to_id"] = {task: _token(tokenizer, f"<|{task}|>") for task in ("transcribe", "translate")}
    generation = GenerationConfig(  # type: ignore[no-untyped-call]  # untyped upstream
        alignment_heads=source["alignment_heads"],
        begin_suppress_tokens=source["suppress_ids_begin"],
        suppress_tokens=source["suppress_ids"],
        bos_token_id=config.bos_token_id,
        eos_token_id=config.eos_token_id,
        pad_token_id=config.pad_token_id,
        decoder_start_token_id=config.decoder_start_token_id,
        no_timestamps_token_id=_token(tokenizer, "<|notimestamps|>"),
        prev_sot_token_id=_token(tokenizer, "<|startofprev|>"),
        max_initial_timestamp_index=50,
        max_length=config.max_target_positions,
        return_timestamps=False,
        **more,
    )
    generation.save_pretrained(out)


def _write_tokenizer(source: Path, out: Path) -> None:
    from transformers import WhisperTokenizer

    end = "<|endoftext|>"
    tokenizer = WhisperTokenizer.from_pretrained(
        source.parent,
        local_files_only=True,
        unk_token=end,
        bos_token=end,
        eos_token=end,
        pad_token=end,
    )
    tokenizer.save_pretrained(out)


def _token(tokenizer: Tokenizer, text: str) -> int:
    token = tokenizer.token_to_id(text)
    assert token is not None, f"Whisper's vocabulary has {text}"
    return token


def _language_tokens(tokenizer: Tokenizer) -> range:
    """Return the ids of the language tokens; they follow the token that starts a transcript."""
    first = _token(tokenizer, "<|startoftranscript|>") + 1
    return range(first, first + LANGUAGES)
