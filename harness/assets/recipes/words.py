"""SYNTHETIC speech: twelve words that are easily confused, spoken by eSpeak NG, in noise.

One clip of one second, 16 kHz mono, for every word and voice variant. Speaking rate, pitch, place in the clip
and the strength of white noise are drawn for each clip from one seed, so that nothing but the word tells the
words apart. `group` is the voice: a model is to be judged on voices it has not heard. No human speaks here,
and a score says nothing about human speech.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.assets.recipes.espeak import RATE_HZ, Utterance, list_variants, speak
from harness.assets.recipes.rows import make_table, write_examples
from harness.examples import Media
from harness.modalities.sounds import decode_sound, encode_sound

WORDS = ("bit", "bet", "bat", "but", "pit", "pet", "pat", "put", "dip", "deep", "tip", "tape")
LANGUAGE = "en-us"
SEED = 20260101
CLIP_RATE_HZ = 16000
CLIP_SAMPLES = 16000  # one second
RATES_WPM = (130, 230)
PITCHES = (20, 80)
SNRS_DB = (0.0, 10.0)
SILENCE = 0.01  # of the peak: eSpeak pads a word with silence
PEAK = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One clip's draw: what is said, how loud the noise is, where the word stands and the noise's own seed."""

    voice: str
    utterance: Utterance
    snr_db: float
    place: float
    """From 0, at the clip's start, to 1, at its end."""
    noise: np.random.SeedSequence


def build(sources: Mapping[str, Path], out: Path) -> None:
    """Speak every word with every voice and write the clips as WAV, 16 bits."""
    clips = draw_clips(list_variants(sources["espeak"]))
    spoken = speak(sources["espeak"], [clip.utterance for clip in clips])
    rows = [
        (
            f"{clip.voice}-{clip.utterance.text}",
            encode_sound(mix(samples, clip), rate=CLIP_RATE_HZ),
            clip.utterance.text,
            clip.voice,
            clip.snr_db,
            clip.utterance.rate_wpm,
            clip.utterance.pitch,
        )
        for clip, samples in zip(clips, spoken, strict=True)
    ]
    columns = ("id", "sound", "label", "group", "snr_db", "rate_wpm", "pitch")
    write_examples(make_table(rows, *columns), out)


def draw_clips(voices: tuple[str, ...]) -> list[Clip]:
    """Return one clip for each voice and word; the draw of a clip depends on its place in the list alone."""
    pairs = [(voice, word) for voice in voices for word in WORDS]
    clips: list[Clip] = []
    for (voice, word), seed in zip(pairs, np.random.SeedSequence(SEED).spawn(len(pairs)), strict=True):
        draw, noise = seed.spawn(2)
        random = np.random.default_rng(draw)
        utterance = Utterance(
            voice=f"{LANGUAGE}+{voice}",
            text=word,
            rate_wpm=int(random.integers(*RATES_WPM, endpoint=True)),
            pitch=int(random.integers(*PITCHES, endpoint=True)),
            seed=int(random.integers(1, 2**31)),
        )
        snr_db = round(float(random.uniform(*SNRS_DB)), 3)
        place = float(random.uniform())
        clips.append(Clip(voice=voice, utterance=utterance, snr_db=snr_db, place=place, noise=noise))
    return clips


def mix(samples: NDArray[np.int16], clip: Clip) -> NDArray[np.float64]:
    """Return one second with the word at its place and white noise below it; shape (CLIP_SAMPLES,).

    The signal-to-noise ratio is that of mean squares over the word, silence around it not counted.
    """
    loudness = np.abs(samples.astype(np.int32))
    loud = np.flatnonzero(loudness > SILENCE * loudness.max())
    trimmed = encode_sound(samples[loud[0] : loud[-1] + 1], rate=RATE_HZ)
    word = decode_sound(Media(data=trimmed, name=clip.voice), rate=CLIP_RATE_HZ)[:CLIP_SAMPLES]
    start = round(clip.place * (CLIP_SAMPLES - len(word)))
    noise_power = np.mean(np.square(word, dtype=np.float64)) / 10 ** (clip.snr_db / 10)
    noise = np.random.default_rng(clip.noise).standard_normal(CLIP_SAMPLES)
    mixed: NDArray[np.float64] = noise * np.sqrt(noise_power)
    mixed[start : start + len(word)] += word
    return mixed * (PEAK / float(np.abs(mixed).max()))
