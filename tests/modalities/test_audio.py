"""Sounds of one width."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
import transformers

from harness.errors import ModelError
from harness.examples import Media
from harness.learn.opening import open_bench
from harness.modalities import audio
from harness.modalities.sounds import encode_sound
from harness.model.load import redraw
from harness.spec.options import TaskOptions
from tests.learn.tiny import build_source


def options(seconds: float | None = None) -> TaskOptions:
    return cast("TaskOptions", SimpleNamespace(clip_seconds=seconds))


def hum(seconds: float, rate: int = 16_000) -> Media:
    wave = np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate) / 2
    return Media(data=encode_sound(wave, rate=rate), name="hum.wav")


def test_the_width_is_the_longest_clip_s(tiny_wav2vec2: Path) -> None:
    sounds = [hum(0.1), hum(0.25), hum(0.05, rate=8000)]
    processor = audio.load_processor(tiny_wav2vec2, options(), sounds)
    batch = audio.encode(processor, sounds).batch([0, 1, 2])
    assert batch["input_values"].shape == (3, 4000)
    assert batch["attention_mask"].sum(dim=1).tolist() == [1600, 4000, 800]


def test_longer_clips_are_cut_to_clip_seconds(tiny_wav2vec2: Path) -> None:
    processor = audio.load_processor(tiny_wav2vec2, options(0.1), ())
    batch = audio.encode(processor, [hum(0.05), hum(0.3)]).batch([0, 1])
    assert batch["input_values"].shape == (2, 1600)
    assert batch["attention_mask"].sum(dim=1).tolist() == [800, 1600]


def test_a_model_that_is_told_no_padding_hears_silence_normalised_with_the_clip(tiny_wav2vec2: Path) -> None:
    """So that a pipeline, which pads nothing, is given the same when it is given a filled clip."""
    processor = audio.load_processor(tiny_wav2vec2, options(0.1), ())
    processor.return_attention_mask = False
    encoded = audio.encode(processor, [hum(0.05)])
    assert set(encoded.columns) == {"input_values"}
    values = encoded.columns["input_values"][0]
    assert values.shape == (1600,)
    assert values.mean() == pytest.approx(0, abs=1e-4)
    assert values.std() == pytest.approx(1, abs=1e-2)
    assert np.ptp(values[800:]) == 0
    given = audio.present(processor, hum(0.05), Path())
    assert isinstance(given, dict)
    assert len(given["raw"]) == 1600
    assert "fill shorter ones with zeros" in audio.describe_use(processor)


def test_whisper_is_shortened_to_whole_seconds(tmp_path: Path) -> None:
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForAudioClassification

    WhisperFeatureExtractor(feature_size=8).save_pretrained(tmp_path)
    config = WhisperConfig(
        vocab_size=40,
        num_mel_bins=8,
        d_model=16,
        encoder_layers=2,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=24,
        decoder_ffn_dim=24,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=2,
    )
    model = WhisperForAudioClassification(config).eval()
    model.save_pretrained(tmp_path)
    processor = audio.load_processor(tmp_path, options(), [hum(1.2)])
    encoded = audio.encode(processor, [hum(1.2), hum(0.1)])
    assert encoded.batch([0, 1])["input_features"].shape == (2, 8, 200)
    positions = model.encoder.embed_positions.weight[:100].clone()
    audio.adapt_model(model, processor)
    assert torch.equal(model.encoder.embed_positions.weight, positions)
    assert model.config.max_source_positions == 100
    with torch.no_grad():
        assert model(**encoded.batch([0, 1])).logits.shape == (2, 2)
    redraw(model, seed=1)
    assert torch.equal(model.encoder.embed_positions.weight, positions), "a control hears clips as long"
    assert audio.describe_use(processor) == ""
    with pytest.raises(
        ModelError, match=r"longer than the 30 s that .* hears: set clip_seconds to at most 30"
    ):
        audio.load_processor(tmp_path, options(31), ())


@pytest.mark.parametrize(
    "extractor",
    [transformers.WhisperFeatureExtractor(), transformers.ASTFeatureExtractor(num_mel_bins=32)],
    ids=["whisper", "ast"],
)
def test_what_is_beyond_clip_seconds_is_not_heard_by_a_spectrogram(
    extractor: transformers.SequenceFeatureExtractor, tmp_path: Path
) -> None:
    extractor.save_pretrained(tmp_path)
    noise = np.random.default_rng(1).normal(0, 0.1, 32_000)
    longer = Media(data=encode_sound(noise, rate=16_000), name="longer.wav")
    cut = Media(data=encode_sound(noise[:8000], rate=16_000), name="cut.wav")
    processor = audio.load_processor(tmp_path, options(0.5), [longer])
    (values,) = audio.encode(processor, [longer, cut]).columns.values()
    assert np.array_equal(values[0], values[1])
    whole = audio.load_processor(tmp_path, options(), [longer])
    (values,) = audio.encode(whole, [longer, cut]).columns.values()
    assert not np.array_equal(values[0], values[1])
    assert "clips of 0.5 s (8000 samples at 16000 Hz) at most: cut longer ones" in audio.describe_use(
        processor
    )


def test_the_classical_description_is_the_same_at_any_rate() -> None:
    features, unfitted = audio.describe_classical([hum(0.5), hum(0.5, rate=32_000), hum(0.01)])
    assert features.shape == (3, 160)
    assert unfitted is not None
    assert np.corrcoef(features[0], features[1])[0, 1] > 0.99
    assert np.isfinite(features).all()


def test_a_group_norm_over_time_gives_a_clip_one_vector(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sound_folder: Path
) -> None:
    """Clips of unequal length, a norm that crosses time: all are of one width, so company changes nothing."""
    folder = make_group_norm(tmp_path_factory.mktemp("group"))
    (sound_folder / "low" / "01.wav").write_bytes(hum(0.07).data or b"")
    bench = open_bench(build_source(request, "audio-classification", checkpoint=folder), "task", "tiny")
    rows = np.arange(len(bench.examples))
    with torch.no_grad():
        together = bench.model(**bench.batch(rows)).logits
        alone = torch.cat([bench.model(**bench.batch(rows[[row]])).logits for row in rows])
    torch.testing.assert_close(alone, together, rtol=0, atol=1e-5)


def make_group_norm(folder: Path) -> Path:
    """Save a wav2vec 2.0 as the first ones were: group norm over time, no attention mask."""
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    Wav2Vec2FeatureExtractor(return_attention_mask=False).save_pretrained(folder)
    config = Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        conv_dim=[8, 8],
        conv_kernel=[10, 5],
        conv_stride=[10, 8],
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
        feat_extract_norm="group",
        classifier_proj_size=8,
        vocab_size=12,
    )
    with torch.random.fork_rng():
        torch.manual_seed(7)
        Wav2Vec2Model(config).save_pretrained(folder)
    return folder
