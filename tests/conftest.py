"""Checkpoints of a few thousand random weights, and data so easy that even these learn them."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import huggingface_hub.constants  # noqa: F401 - it reads its settings once: before a verb with --offline sets them
import numpy as np
import pytest

GOOD = ("good", "fine", "lovely", "bright", "warm")
BAD = ("bad", "dull", "awful", "grim", "cold")
NEUTRAL = ("the", "film", "was", "and", "plot", "very", "so", "a", "day", "it")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under HARNESS_CI=1 a test that would be skipped fails: what it needs has to be installed there."""
    report = yield
    if os.environ.get("HARNESS_CI") == "1" and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: skipped, and HARNESS_CI=1 allows no skips: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def _hub_as_before() -> Generator[None]:
    """Give the hub's libraries back what `--offline` told them: a verb is one process, a session of tests is many."""
    names = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
    before = {name: os.environ.get(name) for name in names}
    yield
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two blocks and width 16 that knows the words of `text_csv`."""
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny-bert"
    make_bert(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ViT of two blocks and width 16 that reads pictures of 16 x 16 in patches of 8."""
    from transformers import ViTConfig, ViTImageProcessorPil, ViTModel

    folder = tmp_path_factory.mktemp("checkpoints") / "tiny-vit"
    ViTImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(folder)
    config = ViTConfig(
        image_size=16,
        patch_size=8,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
    )
    _save(ViTModel, config, folder)
    return folder


@pytest.fixture(scope="session")
def tiny_wav2vec2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wav2vec 2.0 of two blocks and width 16 that reads sounds of 16 kHz."""
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    folder = tmp_path_factory.mktemp("checkpoints") / "tiny-wav2vec2"
    Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(folder)  # type: ignore[no-untyped-call]  # transformers' own is untyped
    config = Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        conv_dim=[8, 8],
        conv_kernel=[10, 5],
        conv_stride=[10, 8],
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        classifier_proj_size=8,
        vocab_size=12,
        mask_time_prob=0.0,
    )
    _save(Wav2Vec2Model, config, folder)
    return folder


@pytest.fixture
def text_csv(tmp_path: Path) -> Path:
    """Sixty short texts of twelve authors; a word in each tells its label, `pos` or `neg`, and its score."""
    draw = np.random.default_rng(1)
    rows = ["text,label,score,author"]
    for number in range(60):
        label, telling = ("pos", GOOD) if number % 2 else ("neg", BAD)
        words = [*draw.choice(NEUTRAL, 4), *draw.choice(telling, 2), str(number)]
        rows.append(
            f"{' '.join(words)},{label},{(1 if number % 2 else -1) + number / 100},author-{number % 12}"
        )
    file = tmp_path / "texts.csv"
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return file


@pytest.fixture
def picture_folder(tmp_path: Path) -> Path:
    """Thirty pictures of 16 x 16, dark or light."""
    from harness.modalities.pictures import encode_picture

    draw = np.random.default_rng(2)
    for number in range(30):
        kind, low = ("dark", 0) if number % 2 else ("light", 150)
        file = tmp_path / "pictures" / kind / f"{number:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encode_picture(draw.integers(low, low + 100, (16, 16, 3)).astype(np.uint8)))
    return tmp_path / "pictures"


@pytest.fixture
def sound_folder(tmp_path: Path) -> Path:
    """Twenty-four hums of a tenth of a second at 16 kHz, low or high."""
    from harness.modalities.sounds import encode_sound

    draw = np.random.default_rng(3)
    for number in range(24):
        kind, tone_hz = ("low", 200) if number % 2 else ("high", 3000)
        wave = np.sin(2 * np.pi * tone_hz * np.arange(1600) / 16_000 + number) / 2
        file = tmp_path / "sounds" / kind / f"{number:02}.wav"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encode_sound(wave + draw.normal(0, 0.01, 1600), rate=16_000))
    return tmp_path / "sounds"


def make_bert(folder: Path) -> None:
    """Save a BERT of two blocks and width 16, with its tokenizer, as the checkpoint `folder`."""
    from transformers import BertConfig, BertModel, BertTokenizer

    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    letters = [letter for plain in "abcdefghijklmnopqrstuvwxyz0123456789" for letter in (plain, f"##{plain}")]
    words = (*special, *GOOD, *BAD, *NEUTRAL, *letters)
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys(words))}
    BertTokenizer(vocab=vocabulary, model_max_length=32).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=32,
        initializer_range=0.3,  # at the usual 0.02 attention is even, and [CLS] hears nothing of the words
    )
    _save(BertModel, config, folder)


def _save(kind: type, config: object, folder: Path) -> None:
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(7)
        kind(config).save_pretrained(folder)
