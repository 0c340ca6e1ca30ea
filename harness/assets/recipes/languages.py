"""Real voices in five languages, from telephone prompts and children's games that Debian packages carry.

The packages are not fetched here: apt installs them, and this reads what lies below /usr/share. `label` is the
language, `group` the recording: a model that has heard every voice may know the microphone and not the language,
so leave recordings out. Clips are brought to 8 kHz mono, the narrowest of the recordings, so that bandwidth does
not tell them apart; from each recording at most 60 of 1 to 10 s are taken, those whose names have the smallest
SHA-256. Files that cannot be decoded whole and recordings with fewer than five clips are left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.assets.recipes.rows import make_table, write_examples
from harness.errors import AssetError, DataError
from harness.examples import Media
from harness.modalities.sounds import decode_sound, decode_telephone, encode_sound

ROOT = Path("/usr/share")
RATE_HZ = 8000
SECONDS = (1.0, 10.0)
CLIPS = (5, 60)  # of one recording
SUFFIXES = (".wav", ".ogg", ".gsm")
NO_SPEECH = ("silence", "beep", "beeperr", "ascending-2tone", "descending-2tone", "tt-monkeys")


@dataclass(frozen=True, slots=True)
class Recording:
    """One voice in one room: a package, a folder of it below /usr/share, the language spoken there."""

    package: str
    folder: str
    language: str

    @property
    def name(self) -> str:
        return f"{self.package}/{Path(self.folder).name}"


RECORDINGS = (
    Recording("asterisk-core-sounds-en-wav", "asterisk/sounds/en_US_f_Allison", "en"),
    Recording("asterisk-core-sounds-es-wav", "asterisk/sounds/es_MX_f_Allison", "es"),
    Recording("asterisk-core-sounds-fr-wav", "asterisk/sounds/fr_CA_f_June", "fr"),
    Recording("asterisk-core-sounds-it-wav", "asterisk/sounds/it_IT_m_Carlo", "it"),
    Recording("asterisk-core-sounds-ru-wav", "asterisk/sounds/ru_RU_f_IvrvoiceRU", "ru"),
    Recording("asterisk-prompt-it-menardi-wav", "asterisk/sounds/it_IT_f_Menardi", "it"),
    Recording("asterisk-prompt-fr-armelle", "asterisk/sounds/fr", "fr"),
    Recording("asterisk-prompt-es-co", "asterisk/sounds/es", "es"),
    *(
        Recording("ktuberling-data", f"ktuberling/sounds/{code}", code)
        for code in ("en", "es", "fr", "it", "ru")
    ),
    *(Recording("klettres-data", f"klettres/{code}", code) for code in ("en", "es", "fr", "it", "ru")),
    Recording("klettres-data", "klettres/en_GB", "en"),
)


def build(_: Mapping[str, Path], out: Path) -> None:
    """Read the installed packages; raises `AssetError` with the line that installs the missing ones."""
    write_recordings(RECORDINGS, ROOT, out)


def write_recordings(recordings: Sequence[Recording], root: Path, out: Path) -> None:
    """Write the clips of `recordings`, whose folders lie below `root`."""
    missing = dict.fromkeys(r.package for r in recordings if not any(_sound_files(r, root)))
    if missing:
        raise AssetError(
            "asset 'spoken-language' is built from Debian packages that are not installed: "
            f"`apt-get install --no-install-recommends {' '.join(missing)}`"
        )
    rows = [row for recording in recordings for row in _read_recording(recording, root)]
    write_examples(make_table(rows, "id", "sound", "label", "group"), out)


def _read_recording(recording: Recording, root: Path) -> list[tuple[object, ...]]:
    files = {
        path.relative_to(root / recording.folder).as_posix(): path for path in _sound_files(recording, root)
    }
    rows: list[tuple[object, ...]] = []
    for name in sorted(files, key=lambda name: hashlib.sha256(name.encode()).digest()):
        wave = _decode(files[name])
        if wave is not None and SECONDS[0] * RATE_HZ <= len(wave) <= SECONDS[1] * RATE_HZ:
            sound = encode_sound(wave, rate=RATE_HZ)
            rows.append((f"{recording.name}/{name}", sound, recording.language, recording.name))
        if len(rows) == CLIPS[1]:
            break
    return rows if len(rows) >= CLIPS[0] else []


def _sound_files(recording: Recording, root: Path) -> Iterator[Path]:
    for path in (root / recording.folder).rglob("*"):
        parts = path.relative_to(root).with_suffix("").parts
        if path.suffix in SUFFIXES and not any(part in NO_SPEECH for part in parts):
            yield path


def _decode(path: Path) -> np.ndarray | None:
    """Return a clip at `RATE_HZ`, or None when it cannot be decoded whole."""
    if path.suffix == ".gsm":
        return decode_telephone(path, rate=RATE_HZ)
    try:
        return decode_sound(Media(file=path, name=path.name), rate=RATE_HZ)
    except DataError:
        return None
