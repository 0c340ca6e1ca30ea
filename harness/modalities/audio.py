"""Sounds as the waveforms or spectrograms that a model reads, all of one width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import ModelError
from harness.examples import Input, Media
from harness.modalities.encoded import Encoded
from harness.modalities.sounds import decode_sound

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from harness.spec.options import TaskOptions

CLASSICAL_RATE = 16_000
CLASSICAL_MELS = 80


def load_processor(folder: Path, task: TaskOptions, inputs: Sequence[Input]) -> Any:
    """Return the checkpoint's feature extractor, set to one width: `clip_seconds`, or the longest clip's.

    One width for all clips of a task, because a group norm over time (the first wav2vec 2.0 checkpoints) gives a
    clip another vector when it is padded beside a longer one.
    """
    from transformers import AutoFeatureExtractor

    try:
        processor = AutoFeatureExtractor.from_pretrained(  # type: ignore[no-untyped-call]  # transformers' own
            folder, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{folder}: its feature extractor cannot be loaded: {str(error).splitlines()[0]}"
        ) from error
    rate = processor.sampling_rate
    limit_s = getattr(task, "clip_seconds", None)
    seconds = limit_s or max(len(_decode(item, rate)) for item in inputs) / rate
    if "Whisper" in type(processor).__name__:
        processor = _shorten_whisper(folder, processor, seconds)
    elif "AST" not in type(processor).__name__:  # an AST reads a spectrogram of its own fixed width
        processor.clip_samples = math.ceil(seconds * rate)
        return processor
    if limit_s is not None:
        processor.cut_samples = math.ceil(limit_s * rate)
    return processor


def encode(processor: Any, inputs: Sequence[Input]) -> Encoded:
    """Return the model's inputs: raw samples, (samples,), or a spectrogram, (mels, frames) or (frames, mels)."""
    rate = processor.sampling_rate
    samples = getattr(processor, "clip_samples", None)
    padding = {"padding": "max_length", "truncation": True} | ({"max_length": samples} if samples else {})
    out: dict[str, list[np.ndarray]] = {}
    for item in inputs:
        sound = _fit(processor, _decode(item, rate))
        for name, value in processor(sound, sampling_rate=rate, return_tensors="np", **padding).items():
            kind = np.int64 if name == "attention_mask" else np.float32
            out.setdefault(name, []).append(np.asarray(value[0], dtype=kind))
    return Encoded(columns=out)


def present(processor: Any, item: Input, scratch: Path) -> object:
    """Return a sound as a pipeline takes it, to make of it what `encode` does."""
    rate = processor.sampling_rate
    return {"raw": _fit(processor, _decode(item, rate)), "sampling_rate": rate}


def describe_use(processor: Any) -> str:
    """Return what who gives sounds to the exported pipeline has to know; nothing for an extractor that pads itself."""
    cut = getattr(processor, "cut_samples", None)
    samples = getattr(processor, "clip_samples", cut)
    if samples is None:
        return ""
    clips = f"clips of {samples / processor.sampling_rate:g} s ({samples} samples at {processor.sampling_rate} Hz)"
    if cut is not None or processor.return_attention_mask:
        return f"It was trained on {clips} at most: cut longer ones."
    return f"It was trained on {clips} and hears padding: cut longer ones, fill shorter ones with zeros at the end."


def adapt_config(folder: Path, processor: Any) -> dict[str, object]:
    """Return no entries: a shortened encoder is cut after its weights are loaded."""
    return {}


def adapt_model(model: Any, processor: Any) -> None:
    """Shorten Whisper's encoder to the processor's width: it keeps the first positions of its fixed table."""
    if "Whisper" not in type(processor).__name__:
        return
    import torch

    encoder = model.get_encoder()
    positions = processor.nb_max_frames // 2  # the second convolution halves the frames
    table = encoder.embed_positions
    if positions == table.num_embeddings:
        return
    short = torch.nn.Embedding(positions, table.embedding_dim)
    with torch.no_grad():
        short.weight.copy_(table.weight[:positions])
    encoder.embed_positions = short.requires_grad_(False)
    encoder.max_source_positions = positions
    encoder.config.max_source_positions = positions
    model.config.max_source_positions = positions


def describe_classical(inputs: Sequence[Input]) -> tuple[np.ndarray, Pipeline | None]:
    """Return each clip's log-mel means and deviations over time, (rows, 160) float32, and an unfitted scaler."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

    filters = mel_filter_bank(201, CLASSICAL_MELS, 0.0, CLASSICAL_RATE / 2, CLASSICAL_RATE, norm="slaney")
    window = window_function(400, "hann")
    rows = []
    for item in inputs:
        sound = _decode(item, CLASSICAL_RATE)
        sound = np.pad(sound, (0, max(0, 400 - len(sound))))  # one window at least
        mels = spectrogram(
            sound, window, 400, 160, mel_filters=filters, power=2.0, log_mel="log", mel_floor=1e-10
        )
        rows.append(np.concatenate([mels.mean(axis=1), mels.std(axis=1)]).astype(np.float32))
    return np.stack(rows), make_pipeline(StandardScaler())


def _shorten_whisper(folder: Path, processor: Any, seconds: float) -> Any:
    """Return Whisper's extractor for whole seconds instead of thirty: two seconds are 15 times cheaper."""
    from transformers import WhisperFeatureExtractor

    chunk = math.ceil(seconds)
    if chunk > processor.chunk_length:
        raise ModelError(
            f"clips of {seconds:.1f} s are longer than the {processor.chunk_length} s that {folder.name} hears: "
            f"set clip_seconds to at most {processor.chunk_length}"
        )
    values = processor.to_dict() | {"chunk_length": chunk}
    for derived in ("n_samples", "nb_max_frames", "mel_filters", "feature_extractor_type"):
        values.pop(derived, None)
    return WhisperFeatureExtractor(**values)  # type: ignore[no-untyped-call]  # transformers' own is untyped


def _fit(processor: Any, sound: np.ndarray) -> np.ndarray:
    """Cut a sound to the task's width; fill it with silence where nothing pads it and no mask tells the model.

    Filled before it is normalised, as a pipeline normalises what it is given.
    """
    samples = getattr(processor, "clip_samples", None)
    if samples is None:
        return sound[: getattr(processor, "cut_samples", None)]  # a spectrogram's extractor pads by itself
    missing = 0 if processor.return_attention_mask else max(0, samples - len(sound))
    return np.pad(sound[:samples], (0, missing))


def _decode(item: Input, rate: int) -> np.ndarray:
    assert isinstance(item, Media)
    return decode_sound(item, rate=rate)  # (samples,) float32
