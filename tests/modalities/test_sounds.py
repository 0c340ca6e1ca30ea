"""Sounds: golden samples of every kind, and every kind cut short."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from harness.errors import DataError
from harness.examples import Media
from harness.modalities.sounds import audit_sound, decode_sound, encode_sound

KINDS = (
    ("WAV", "PCM_16"),
    ("WAV", "PCM_U8"),
    ("WAV", "PCM_24"),
    ("WAV", "FLOAT"),
    ("WAVEX", "PCM_16"),
    ("FLAC", "PCM_16"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"),
    ("AIFF", "PCM_16"),
    ("AU", "PCM_16"),
)


def tone(seconds: float = 1.0, rate: int = 8000, pitch: float = 440.0) -> np.ndarray:
    wave: np.ndarray = 0.5 * np.sin(2 * np.pi * pitch * np.arange(int(seconds * rate)) / rate)
    return wave.astype(np.float32)


def encode(wave: np.ndarray, rate: int = 8000, kind: str = "WAV", subtype: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format=kind, subtype=subtype)
    return file.getvalue()


def media(data: bytes) -> Media:
    return Media(data=data, name="a")


def fault_of(data: bytes) -> str:
    said = []
    for read in (audit_sound, lambda sound: decode_sound(sound, rate=8000)):
        with pytest.raises(DataError) as caught:
            read(media(data))
        said.append(str(caught.value))
    assert said[0] == said[1]
    return said[0]


@pytest.mark.parametrize(("kind", "subtype"), KINDS)
def test_every_kind_is_decoded(kind: str, subtype: str) -> None:
    data = encode(tone(), kind=kind, subtype=subtype)
    audit_sound(media(data))
    wave = decode_sound(media(data), rate=8000)
    assert wave.dtype == np.float32
    assert wave.shape == (8000,)
    middle = slice(2000, 6000)  # lossy kinds need a moment
    assert np.corrcoef(wave[middle], tone()[middle])[0, 1] > 0.99


def test_samples_come_back_as_they_were() -> None:
    wave = np.array([0, 0.5, -0.5, 32767 / 32768, -1], dtype=np.float32)
    assert (decode_sound(media(encode(wave)), rate=8000) == wave).all()


def test_channels_are_averaged() -> None:
    wave = np.stack([np.full(10, 0.5), np.full(10, -0.25)], axis=1)
    assert (decode_sound(media(encode(wave)), rate=8000) == 0.125).all()
    assert decode_sound(media(encode(np.zeros((10, 8)))), rate=8000).shape == (10,)


@pytest.mark.parametrize("rate", [4000, 16_000, 44_100])
def test_another_rate_is_resampled(rate: int) -> None:
    wave = decode_sound(media(encode(tone())), rate=rate)
    assert wave.shape == (rate,)
    middle = slice(rate // 4, 3 * rate // 4)
    assert np.abs(wave - tone(rate=rate))[middle].max() < 0.01


def test_what_is_encoded_comes_back() -> None:
    wave = tone()
    assert np.abs(decode_sound(media(encode_sound(wave, rate=8000)), rate=8000) - wave).max() < 1e-4


def test_a_file_is_read_like_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(encode(tone()))
    assert decode_sound(Media(file=tmp_path / "a.wav", name="a.wav"), rate=8000).shape == (8000,)


@pytest.mark.parametrize(("kind", "subtype"), KINDS)
def test_a_sound_cut_anywhere_is_refused(kind: str, subtype: str, capfd: pytest.CaptureFixture[str]) -> None:
    data = encode(tone(), kind=kind, subtype=subtype)
    for length in [0, 1, 10, 40, 100, len(data) // 4, len(data) // 2, *range(len(data) - 20, len(data))]:
        fault_of(data[:length])


def test_half_a_wav_says_how_much_is_missing() -> None:
    data = encode(tone())
    assert fault_of(data[: 44 + 8000]) == (
        "a: 8000 bytes are missing that the header promises; the file is cut short"
    )


def test_a_header_that_promises_too_much_is_refused() -> None:
    data = bytearray(encode(tone()))
    data[40:44] = struct.pack("<I", 0xFFFFFFF0)
    assert "bytes are missing that the header promises" in fault_of(bytes(data))


def test_a_flac_header_that_promises_too_much_is_refused() -> None:
    data = bytearray(encode(tone(), kind="FLAC"))
    data[22:26] = struct.pack(">I", 16_000)  # the low bytes of the number of samples
    assert "a: " in fault_of(bytes(data))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "a: holds 0 bytes"),
        (b"hello", "a: is no sound that can be read (Format not recognised)"),
        (encode(np.zeros(0)), "a: holds 0 frames"),
        (encode(np.array([0, np.nan, 0]), subtype="FLOAT"), "a: holds NaN or infinite samples"),
        (encode(np.array([0, np.inf, 0]), subtype="FLOAT"), "a: holds NaN or infinite samples"),
        (
            encode(np.zeros(601 * 1000, np.int16), rate=1000),
            "a: 601 s long, more than 600 s; cut it into clips",
        ),
        (encode(np.zeros(10), rate=5), "a: its header says 5 Hz, which no sound has"),
        (encode(np.zeros((10, 70))), "a: its header says 70 channels, more than 64"),
        (
            encode(np.zeros(10), kind="W64"),
            "a: is in the format W64; known are WAV, WAVEX, FLAC, OGG, MP3, AIFF, AU",
        ),
    ],
    # Named by hand: a name made of the bytes would hold the time that a float WAV's PEAK chunk was written.
    ids=["nothing", "no-header", "no-frame", "nan", "inf", "too-long", "rate-5", "channels-70", "w64"],
)
def test_what_is_no_sound_is_refused(data: bytes, said: str) -> None:
    assert fault_of(data) == said


def test_a_small_file_that_holds_hours_is_refused_by_its_header() -> None:
    data = encode(np.zeros(700 * 8000, np.int16), kind="FLAC")
    assert len(data) < 40_000
    assert fault_of(data) == "a: 700 s long, more than 600 s; cut it into clips"


def test_a_sound_shorter_than_a_sample_is_refused() -> None:
    with pytest.raises(DataError, match="a: shorter than one sample at 1000 Hz"):
        decode_sound(media(encode(np.zeros(10), rate=48_000)), rate=1000)
