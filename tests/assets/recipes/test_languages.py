"""Voices that apt installs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from harness.assets.recipes.languages import RECORDINGS, Recording, write_recordings
from harness.errors import AssetError

THERE = Recording("some-voices", "voices/en_X", "en")


def write_sounds(folder: Path, count: int, seconds: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        wave = np.random.default_rng(number).normal(0, 0.1, int(seconds * 16000))
        soundfile.write(folder / f"{number:03}.wav", wave, 16000)


def test_missing_packages_are_named_in_a_line_to_paste(tmp_path: Path) -> None:
    write_sounds(tmp_path / "voices" / "en_X", 1, 2.0)
    with pytest.raises(
        AssetError, match="`apt-get install --no-install-recommends klettres-data asterisk-prompt-es-co`"
    ):
        write_recordings(
            [
                THERE,
                Recording("klettres-data", "klettres/en", "en"),
                Recording("klettres-data", "klettres/fr", "fr"),
                Recording("asterisk-prompt-es-co", "asterisk/es", "es"),
            ],
            tmp_path,
            tmp_path,
        )


def test_clips_of_a_fit_length_are_taken_and_grouped_by_recording(tmp_path: Path) -> None:
    folder = tmp_path / "voices" / "en_X"
    write_sounds(folder / "long", 2, 11.0)
    write_sounds(folder / "short", 3, 0.5)
    write_sounds(folder / "fit", 70, 1.2)
    write_sounds(folder / "silence", 5, 2.0)
    (folder / "fit" / "000.wav").write_bytes((folder / "fit" / "000.wav").read_bytes()[:1000])
    soundfile.write(
        folder / "phone.gsm", np.random.default_rng(0).normal(0, 0.1, 16000), 8000, "GSM610", format="RAW"
    )
    write_recordings([THERE], tmp_path, tmp_path)
    rows = pq.read_table(tmp_path / "examples.parquet").to_pylist()
    assert len(rows) == 60
    assert {row["group"] for row in rows} == {"some-voices/en_X"}
    assert {row["label"] for row in rows} == {"en"}
    names = {row["id"].removeprefix("some-voices/en_X/") for row in rows}
    assert all(name.startswith("fit/") or name == "phone.gsm" for name in names)
    assert "fit/000.wav" not in names


def test_telephone_frames_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "voices" / "en_X"
    folder.mkdir(parents=True)
    for number in range(5):
        wave = 0.5 * np.sin(np.arange(16000) * 0.3 + number)
        soundfile.write(folder / f"{number}.gsm", wave, 8000, "GSM610", format="RAW")
    write_recordings([THERE], tmp_path, tmp_path)
    assert pq.read_table(tmp_path / "examples.parquet").num_rows == 5


def test_a_recording_with_next_to_nothing_is_left_out(tmp_path: Path) -> None:
    write_sounds(tmp_path / "voices" / "en_X", 4, 2.0)
    write_recordings([THERE], tmp_path, tmp_path)
    assert pq.read_table(tmp_path / "examples.parquet").num_rows == 0


def test_every_language_has_two_recordings_at_least() -> None:
    for language in ("en", "es", "fr", "it", "ru"):
        assert sum(recording.language == language for recording in RECORDINGS) >= 2
