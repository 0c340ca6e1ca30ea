"""Run in a process of its own: speaks utterances with eSpeak NG and writes their samples to stdout.

`python -I speaker.py LIBRARY FOLDER`, with a JSON list of [voice, text, words a minute, pitch, seed] on
stdin. Each utterance becomes its count of samples as u32 and the samples as i16, little endian.
"""

from __future__ import annotations

import ctypes
import json
import struct
import sys

# Names and numbers of espeak-ng/speak_lib.h, version 1.52.
AUDIO_OUTPUT_RETRIEVAL = 1
INITIALIZE_DONT_EXIT = 0x8000
CHARS_UTF8 = 1
POS_CHARACTER = 1
PARAMETER_RATE = 1
PARAMETER_PITCH = 3

Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def main(library: str, folder: str) -> None:
    """Speak everything that stands on stdin."""
    espeak = ctypes.CDLL(library)
    heard: list[bytes] = []

    def hear(samples: int | None, count: int, events: int | None) -> int:
        if samples and count > 0:
            heard.append(ctypes.string_at(samples, 2 * count))
        return 0

    callback = Callback(hear)  # kept in a variable: ctypes does not, and eSpeak would call freed memory
    if espeak.espeak_Initialize(AUDIO_OUTPUT_RETRIEVAL, 0, folder.encode(), INITIALIZE_DONT_EXIT) < 0:
        sys.exit(f"cannot be initialized with the data in {folder}")
    espeak.espeak_SetSynthCallback(callback)
    for voice, text, rate, pitch, seed in json.load(sys.stdin):
        if espeak.espeak_SetVoiceByName(voice.encode()):
            sys.exit(f"has no voice '{voice}'")
        espeak.espeak_SetParameter(PARAMETER_RATE, rate, 0)
        espeak.espeak_SetParameter(PARAMETER_PITCH, pitch, 0)
        espeak.espeak_ng_SetRandSeed(ctypes.c_long(seed))
        content = text.encode()
        heard.clear()
        espeak.espeak_Synth(content, len(content) + 1, 0, POS_CHARACTER, 0, CHARS_UTF8, None, None)
        espeak.espeak_Synchronize()
        spoken = b"".join(heard)
        sys.stdout.buffer.write(struct.pack("<I", len(spoken) // 2) + spoken)


if __name__ == "__main__":
    main(*sys.argv[1:])
