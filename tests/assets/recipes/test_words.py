"""Synthetic words: what is drawn, and how loud the noise is."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from harness.assets.recipes.words import CLIP_SAMPLES, WORDS, draw_clips, mix

VOICES = tuple(f"voice{number}" for number in range(60))


def test_every_voice_says_every_word_once_in_the_stated_ranges() -> None:
    clips = draw_clips(VOICES)
    assert Counter((clip.voice, clip.utterance.text) for clip in clips) == Counter(
        (voice, word) for voice in VOICES for word in WORDS
    )
    rates = {clip.utterance.rate_wpm for clip in clips}
    pitches = {clip.utterance.pitch for clip in clips}
    snrs = {clip.snr_db for clip in clips}
    assert (min(rates), max(rates)) == (130, 230)
    assert (min(pitches), max(pitches)) == (20, 80)
    assert 0 <= min(snrs) < 0.5 < 9.5 < max(snrs) <= 10
    assert len({clip.utterance.seed for clip in clips}) == len(clips)


def test_the_same_clips_are_drawn_again() -> None:
    first, second = draw_clips(VOICES[:3]), draw_clips(VOICES[:3])
    assert [clip.utterance for clip in first] == [clip.utterance for clip in second]
    samples = np.random.default_rng(0).integers(-9000, 9000, 8000).astype(np.int16)
    assert (mix(samples, first[5]) == mix(samples, second[5])).all()


@pytest.mark.parametrize("snr_db", [0.0, 5.0, 10.0])
def test_the_noise_is_as_loud_as_stated(snr_db: float) -> None:
    tone = (20000 * np.sin(np.arange(11025) * 0.2)).astype(np.int16)  # half a second
    clip = replace(draw_clips(VOICES[:1])[0], snr_db=snr_db, place=0.0)
    mixed = mix(np.concatenate([np.zeros(500, np.int16), tone]), clip)
    assert mixed.shape == (CLIP_SAMPLES,)
    assert np.abs(mixed).max() == pytest.approx(0.9)
    noise_power = np.mean(mixed[8200:] ** 2)  # after the word
    word_power = np.mean(mixed[:8000] ** 2) - noise_power
    assert 10 * np.log10(word_power / noise_power) == pytest.approx(snr_db, abs=0.5)


def test_a_word_longer_than_the_clip_is_cut() -> None:
    tone = (20000 * np.sin(np.arange(44100) * 0.2)).astype(np.int16)
    assert mix(tone, draw_clips(VOICES[:1])[0]).shape == (CLIP_SAMPLES,)
