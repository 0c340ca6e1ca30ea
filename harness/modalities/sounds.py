"""Decode sounds, all of them or none."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
import soxr

from harness.errors import DataError
from harness.examples import Media
from harness.modalities.media import read_media

SECONDS = 600  # of one clip; a 28 kB FLAC can hold 10 minutes, and what is longer is to be cut first
FRAMES = 60_000_000  # of one clip: ten minutes at 96 kHz; at 768 kHz silence of 60 kB would take 4 GB
CHANNELS = 64
RATES = (1_000, 768_000)  # Hz
BYTES = 400_000_000
FORMATS = ("WAV", "WAVEX", "FLAC", "OGG", "MP3", "AIFF", "AU")
SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au")

_BLOCK = 1 << 16  # frames
_UNKNOWN = 0xFFFFFFFF

Order = Literal["little", "big"]


def decode_sound(media: Media, *, rate: int) -> np.ndarray:
    """Return a sound as one channel, (samples,) float32, `rate` samples a second.

    Raises `DataError` where it is no sound, empty, longer than ten minutes, holds NaN, or ends before its header
    says so.
    """
    blocks = list(_read_blocks(media))
    own_rate = blocks[0][0]
    wave = np.concatenate([block for _, block in blocks])
    if own_rate != rate:
        wave = soxr.resample(wave, own_rate, rate)
    if not len(wave):
        raise DataError(f"{media.name}: shorter than one sample at {rate} Hz")
    return np.ascontiguousarray(wave, dtype=np.float32)  # (samples,)


def decode_telephone(file: Path, *, rate: int) -> np.ndarray:
    """Return a file of bare GSM 06.10 frames, (samples,) float32; it has no header, so its rate must be known."""
    wave: np.ndarray = soundfile.read(
        file, samplerate=rate, channels=1, format="RAW", subtype="GSM610", dtype="float32"
    )[0]
    return wave


def audit_sound(media: Media) -> None:
    """Raise `DataError` where a sound could not be decoded."""
    for _ in _read_blocks(media):
        pass


def encode_sound(wave: np.ndarray, *, rate: int) -> bytes:
    """Return samples in [-1, 1], (samples,) or (samples, channels), as a 16-bit WAV."""
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


class _Bytes(io.BytesIO):
    """Bytes in which a seek before the start stops there.

    libsndfile 1.2 seeks to -1 in cut AIFF files, and soundfile 0.14 prints what BytesIO raises then.
    """

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return io.BytesIO.seek(self, max(offset, 0) if whence == io.SEEK_SET else offset, whence)


def _read_blocks(media: Media) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the rate with blocks of the mean of all channels; having come to the end, all of the sound was there."""
    data = read_media(media, BYTES)
    read = 0
    try:
        with soundfile.SoundFile(_Bytes(data)) as file:
            promised = file.frames
            _refuse_header(file, media.name)
            _refuse_end(data, file.format, media.name)
            for block in file.blocks(_BLOCK, dtype="float32", always_2d=True):  # (frames, channels)
                if not np.isfinite(block).all():
                    raise DataError(f"{media.name}: holds NaN or infinite samples")
                read += len(block)
                yield file.samplerate, block.mean(axis=1, dtype=np.float32)
    except soundfile.SoundFileError as error:
        reason = str(error).rpartition(">: ")[2].strip().rstrip(".")
        raise DataError(f"{media.name}: is no sound that can be read ({reason})") from None
    if read < promised:
        raise DataError(f"{media.name}: ends after {read} of {promised} frames; the file is cut short")


def _refuse_header(file: soundfile.SoundFile, name: str) -> None:
    if file.format not in FORMATS:
        raise DataError(f"{name}: is in the format {file.format}; known are {', '.join(FORMATS)}")
    if file.frames <= 0:
        raise DataError(f"{name}: holds 0 frames")
    if not RATES[0] <= file.samplerate <= RATES[1]:
        raise DataError(f"{name}: its header says {file.samplerate} Hz, which no sound has")
    if file.channels > CHANNELS:
        raise DataError(f"{name}: its header says {file.channels} channels, more than {CHANNELS}")
    if file.frames > SECONDS * file.samplerate:
        seconds = file.frames / file.samplerate
        raise DataError(f"{name}: {seconds:.0f} s long, more than {SECONDS} s; cut it into clips")
    if file.frames > FRAMES:
        raise DataError(
            f"{name}: {file.frames} frames, more than {FRAMES}; cut it into clips, or resample it to 48 kHz"
        )


def _refuse_end(data: bytes, kind: str, name: str) -> None:
    """Raise `DataError` where the file is shorter than its header says: libsndfile reads what is left of half a WAV."""
    lacking = 0
    if kind in ("WAV", "WAVEX"):
        lacking = _promised_end(data, b"data", "little" if data[:4] == b"RIFF" else "big") - len(data)
    elif kind == "AIFF":
        lacking = _promised_end(data, b"SSND", "big") - len(data)
    elif kind == "AU":
        order: Order = "big" if data[:4] == b".snd" else "little"
        start, size = (int.from_bytes(data[at : at + 4], order) for at in (4, 8))
        lacking = 0 if size == _UNKNOWN else start + size - len(data)
    elif kind == "MP3":
        lacking = _mp3_end(data) - len(data)
    elif kind == "OGG" and not _ogg_ends(data):
        raise DataError(f"{name}: the last page is missing; the file is cut short")
    if lacking > 0:
        raise DataError(
            f"{name}: {lacking} bytes are missing that the header promises; the file is cut short"
        )


def _promised_end(data: bytes, wanted: bytes, order: Order) -> int:
    """Return where the samples of a WAV or AIFF end, by the size that their chunk gives."""
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], order)
        if data[at : at + 4] == wanted:
            return at + 8 + size
        at += 8 + size + size % 2
    return 0


def _mp3_end(data: bytes) -> int:
    """Return where an MP3 ends by its Xing header, 0 where it has none."""
    head = data[:65_536]
    at = max(head.find(b"Xing"), head.find(b"Info"))
    start = next((at - before for before in (13, 21, 36) if at >= before and data[at - before] == 0xFF), None)
    if start is None or not data[at + 7] & 2:  # the flag that says a number of bytes follows
        return 0
    size = at + 8 + (4 if data[at + 7] & 1 else 0)
    return start + int.from_bytes(data[size : size + 4], "big")


def _ogg_ends(data: bytes) -> bool:
    """Return whether the last page of an Ogg file is whole and says that it is the last."""
    at = data.rfind(b"OggS")
    segments = data[at + 26] if at + 27 <= len(data) else 0
    end = at + 27 + segments + sum(data[at + 27 : at + 27 + segments])
    return bool(data[at + 5] & 4) and end <= len(data)
