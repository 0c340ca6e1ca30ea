"""The speech synthesizer eSpeak NG (GPL-3.0-or-later): its library, its data, and how it is asked.

The library is never loaded into this process: `speaker.py` runs in a process of its own, with the standard
library alone, and hands back samples.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.errors import AssetError

RATE_HZ = 22050
LIBRARIES = {"Linux": "libespeak-ng.so", "Darwin": "libespeak-ng.dylib", "Windows": "espeak-ng.dll"}
DATA = "espeak-ng-data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """What is said by whom, how fast and how high."""

    voice: str
    text: str
    rate_wpm: int
    pitch: int
    """From 0 to 99; 50 is the voice's own."""
    seed: int
    """Of the breath in some voices; eSpeak seeds it with the clock otherwise."""


def build(sources: Mapping[str, Path], out: Path) -> None:
    """Keep this platform's library and the data; leave the package's Python behind."""
    loader = sources["espeakng_loader"]
    shutil.copyfile(loader / _library(), out / _library())
    shutil.copytree(loader / DATA, out / DATA)


def list_variants(tool: Path) -> tuple[str, ...]:
    """Return the names of the voice variants in the tool's folder, sorted."""
    return tuple(sorted(path.name for path in (tool / DATA / "voices" / "!v").iterdir()))


def speak(tool: Path, utterances: Sequence[Utterance]) -> list[NDArray[np.int16]]:
    """Return each utterance's samples at `RATE_HZ`, spoken in a child process."""
    script = Path(__file__).with_name("speaker.py")
    done = subprocess.run(
        [sys.executable, "-I", str(script), str(tool / _library()), str(tool)],
        input=json.dumps([astuple(utterance) for utterance in utterances]).encode(),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.decode(errors="replace").strip().splitlines() or [f"exit {done.returncode}"])[
            -1
        ]
        raise AssetError(f"eSpeak NG failed: {reason}")
    clips: list[NDArray[np.int16]] = []
    samples = np.frombuffer(done.stdout, "<i2")
    position = 0
    while position < len(samples):
        count = int(samples[position : position + 2].view("<u4")[0])
        clips.append(samples[position + 2 : position + 2 + count])
        position += 2 + count
    if len(clips) != len(utterances):
        raise AssetError(f"eSpeak NG spoke {len(clips)} of {len(utterances)} utterances")
    return clips


def _library() -> str:
    system = platform.system()
    if system not in LIBRARIES:
        raise AssetError(f"eSpeak NG has no library for {system}")
    return LIBRARIES[system]
