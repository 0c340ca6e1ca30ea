"""Texts as tokens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import ModelError
from harness.examples import Input
from harness.modalities.encoded import Encoded

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from harness.spec.options import TaskOptions


def load_processor(folder: Path, task: TaskOptions, inputs: Sequence[Input]) -> Any:
    """Return the checkpoint's tokenizer, set to cut texts at the task's `max_tokens` or the checkpoint's own limit."""
    from transformers import AutoConfig, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder}: its tokenizer cannot be loaded: {str(error).splitlines()[0]}") from error
    if len(tokenizer) <= len(
        tokenizer.all_special_ids
    ):  # transformers 5 makes an empty one where files are missing
        raise ModelError(
            f"{folder}: its tokenizer is missing, or knows no words: put the checkpoint's tokenizer files there "
            "(tokenizer.json, or the vocabulary)"
        )
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    positions = getattr(config, "max_position_embeddings", None) or 512
    offset = (
        2 if config.model_type in ("roberta", "xlm-roberta", "camembert", "mpnet") else 0
    )  # positions start there
    limit = min(tokenizer.model_max_length, positions - offset)
    wanted = getattr(task, "max_tokens", None) or limit
    if wanted > limit:
        raise ModelError(f"max_tokens is {wanted}, but {folder.name} reads at most {limit} tokens")
    tokenizer.model_max_length = wanted
    tokenizer.padding_side = "right"
    if tokenizer.pad_token is None:  # decoders are trained without padding; what is padded is masked
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def encode(processor: Any, inputs: Sequence[Input]) -> Encoded:
    """Return the tokens of texts or pairs of texts, unpadded.

    Of an empty text a decoder's tokenizer makes no token at all: it becomes one token of padding that counts.
    """
    rows = [_tokenize(processor, item) for item in inputs]
    padding = {
        "input_ids": processor.pad_token_id,
        "attention_mask": 0,
        "token_type_ids": processor.pad_token_type_id,
    }
    alone = padding | {"attention_mask": 1}
    return Encoded(
        columns={
            name: [np.array(row[name] or [alone[name]], dtype=np.int64) for row in rows] for name in rows[0]
        },
        padding=padding,
    )


def present(processor: Any, item: Input, scratch: Path) -> object:
    """Return a text or a pair of texts as a pipeline takes it, to make of it what `encode` does."""
    if not _tokenize(processor, item)["input_ids"]:
        return processor.pad_token
    return {"text": item[0], "text_pair": item[1]} if isinstance(item, tuple) else item


def _tokenize(processor: Any, item: Input) -> Any:
    """Return the tokens of one text or pair: one by one as pipelines do, for an empty second text counts in a list."""
    texts = item if isinstance(item, tuple) else (item,)
    return processor(*texts, truncation=True, return_attention_mask=True)


def describe_use(processor: Any) -> str:
    """Return what who gives texts to the exported pipeline has to know."""
    return f"It reads {processor.model_max_length} tokens: call it with truncation=True."


def adapt_config(folder: Path, processor: Any) -> dict[str, object]:
    """Return the configuration entries that make the model fit what the processor produces."""
    return {"pad_token_id": processor.pad_token_id}


def adapt_model(model: Any, processor: Any) -> None:
    """Leave the model as it is: texts of any length fit."""


def describe_classical(inputs: Sequence[Input]) -> tuple[np.ndarray, Pipeline | None]:
    """Return raw texts, (rows,) of str, and the unfitted TF-IDF over 1-2-grams that turns them into features."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    texts = np.array(
        [" \u241e ".join(item) if isinstance(item, tuple) else item for item in inputs], dtype=object
    )
    return texts, make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\S+"))
