"""Data of somebody else's: bombs are refused by their headers, links and pipes are not followed."""

from __future__ import annotations

import io
import os
import resource
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from harness import plugins
from harness.errors import DataError
from harness.examples import Examples, Media
from harness.modalities.pictures import audit_picture, decode_picture, encode_picture
from harness.modalities.sounds import audit_sound, decode_sound, encode_sound
from harness.parquet import SizeError, read_parquet
from tests.security.conftest import Attack, Watched, untouched

KEYS = {"text": "text", "label": "label"}


def read(folder: Path, reader: str, source: str, **keys: object) -> Examples:
    """Return what a reader makes of a file or folder."""
    module = plugins.find("readers", reader)
    modality = {"images": "image", "sounds": "audio"}.get(reader, "text")
    examples: Examples = module.read(
        module.Options(**{reader: source, **keys}), base=folder, modality=modality
    )
    return examples


@contextmanager
def within(seconds: float, megabytes: int) -> Iterator[None]:
    """Assert that a block takes no more processor time and no more memory than this."""
    begin, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert time.process_time() - begin < seconds
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < megabytes * 1024


def picture_bomb() -> bytes:
    """Return a PNG of 256 megapixels, whole and all of one colour."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packer = zlib.compressobj(9)
    rows = [packer.compress(bytes(2001)) for _ in range(16_000)]  # 16,000 pixels of one bit and their filter
    body = b"".join((*rows, packer.flush()))
    header = struct.pack(">IIBBBBB", 16_000, 16_000, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def silence(frames: int, rate: int) -> bytes:
    """Return a FLAC of nothing."""
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate, 1, format="FLAC", subtype="PCM_16") as sound:
        for start in range(0, frames, 1 << 20):
            sound.write(np.zeros(min(1 << 20, frames - start), np.int16))
    return file.getvalue()


def test_a_picture_of_256_megapixels_in_a_few_kilobytes_is_refused_by_its_header() -> None:
    bomb = picture_bomb()
    assert len(bomb) < 64_000
    for look in (audit_picture, decode_picture):
        with within(1, 50), pytest.raises(DataError, match="megapixels"):
            look(Media(data=bomb, name="bomb.png"))


def test_ten_hours_of_silence_are_refused_by_their_header() -> None:
    bomb = silence(36_000 * 1000, 1000)
    for look in (audit_sound, lambda sound: decode_sound(sound, rate=16_000)):
        with within(1, 50), pytest.raises(DataError, match="36000 s long, more than 600 s; cut it"):
            look(Media(data=bomb, name="bomb.flac"))


def test_ten_minutes_at_the_rate_of_a_radar_are_refused_by_their_header() -> None:
    """A FLAC of 384 kHz holds 900 MB of samples in 600 s, and twice that while they are joined."""
    bomb = bytearray(silence(384_000, 384_000))
    bomb[22:26] = struct.pack(">I", 300 * 384_000)  # the low bytes of its number of samples
    with within(1, 50), pytest.raises(DataError, match="115200000 frames, more than 60000000"):
        decode_sound(Media(data=bytes(bomb), name="bomb.flac"), rate=16_000)


def test_a_flac_that_does_not_say_how_long_it_is_is_refused() -> None:
    bomb = bytearray(silence(8000, 8000))
    bomb[21] &= 0xF0
    bomb[22:26] = bytes(4)
    with within(1, 50), pytest.raises(DataError, match=r"bomb\.flac: "):
        decode_sound(Media(data=bytes(bomb), name="bomb.flac"), rate=16_000)


def test_a_lying_wav_does_not_allocate_what_it_promises() -> None:
    lie = bytearray(encode_sound(np.zeros(800), rate=8000))
    lie[40:44] = struct.pack("<I", 0x7FFFFFF0)
    with within(1, 50), pytest.raises(DataError):
        decode_sound(Media(data=bytes(lie), name="lie.wav"), rate=8000)


def test_bombs_among_media_are_dropped_with_a_count(tmp_path: Path) -> None:
    whole = encode_picture(np.zeros((8, 8, 3), dtype=np.uint8))
    for name, data in (("cats/a.png", whole), ("dogs/b.png", whole), ("dogs/bomb.png", picture_bomb())):
        (tmp_path / "pets" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pets" / name).write_bytes(data)
    with pytest.raises(DataError, match=r"dogs/bomb\.png: more than 64 megapixels"):
        read(tmp_path, "images", "pets")
    examples = read(tmp_path, "images", "pets", on_bad="drop")
    assert len(examples) == 2
    assert examples.notes[0] == "pets: dropped 1 of 3 rows: dogs/bomb.png: more than 64 megapixels"


def shared_word(path: Path, *, word: int, rows: int) -> None:
    """Write a column whose rows share one long word: as plain text it takes their product."""
    words = pa.array(["x" * word])
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, dtype=np.int8)), words)
    labels = pa.array(["a"] * rows)
    pq.write_table(pa.table({"text": column, "label": labels}), path, store_schema=False, compression="zstd")


def test_a_parquet_file_that_unpacks_to_a_terabyte_is_refused(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.parquet"
    shared_word(bomb, word=1_000_000, rows=1_000_000)
    assert bomb.stat().st_size < 10_000
    with pytest.raises(SizeError, match=r"bytes that unpack to more than 0\.5 GB; that is too large"):
        read_parquet(bomb, unpacked=500_000_000)
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY


def test_a_parquet_bomb_is_told_as_a_fault_of_the_data(tmp_path: Path) -> None:
    many = pa.DictionaryArray.from_arrays(pa.array(np.zeros(21_000_000, dtype=np.int8)), pa.array(["x"]))
    pq.write_table(pa.table({"text": many}), tmp_path / "a.parquet")
    with within(3, 400), pytest.raises(DataError, match=r"a\.parquet: promises 21000000 rows in .* split it"):
        read(tmp_path, "parquet", "a.parquet", **KEYS)


@pytest.mark.parametrize(("reader", "name"), [("csv", "a.csv"), ("tsv", "a.tsv"), ("jsonl", "a.jsonl")])
def test_two_gigabytes_of_text_are_refused_before_they_are_read(
    tmp_path: Path, reader: str, name: str
) -> None:
    with (tmp_path / name).open("wb") as file:
        file.truncate(2_000_000_000)  # sparse: one line of NULs that takes no room
    with within(1, 50), pytest.raises(DataError, match=r"2\.0 GB, more than 1 GB of text; keep the columns"):
        read(tmp_path, reader, name, **KEYS)


@pytest.mark.parametrize(
    ("reader", "name"), [("csv", "a.csv"), ("jsonl", "a.jsonl"), ("parquet", "a.parquet")]
)
def test_a_pipe_is_not_waited_for(tmp_path: Path, reader: str, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match="is no file"):
        read(tmp_path, reader, name, **KEYS)


def test_a_value_or_a_line_without_an_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('text,label\n"' + "x" * 16_100_000 + '",a\n')
    with pytest.raises(DataError, match="a value of more than 16000000 characters"):
        read(tmp_path, "csv", "a.csv", **KEYS)
    (tmp_path / "a.jsonl").write_text('{"text": "a", "label": "x"}\n{"z": "' + "x" * 16_100_000 + '"}\n')
    with pytest.raises(DataError, match="line 2: longer than 16000000 characters"):
        read(tmp_path, "jsonl", "a.jsonl", **KEYS)


def test_rows_that_share_no_key_do_not_become_a_table_of_billions(tmp_path: Path) -> None:
    rows = (f'{{"text": "a", "label": "x", "k{number}": 1}}\n' for number in range(50_000))
    (tmp_path / "a.jsonl").write_text("".join(rows))
    with (
        within(5, 200),
        pytest.raises(DataError, match="50002 keys in 50000 rows, more than 200000000 cells"),
    ):
        read(tmp_path, "jsonl", "a.jsonl", **KEYS)


@pytest.mark.parametrize("cell", ["[" * 3000, "1" * 100_000, '"\\ud800"', "1e999999"])
def test_a_line_of_json_that_wants_to_break_the_parser_is_a_bad_row(tmp_path: Path, cell: str) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"text": "a", "label": "x"}}\n{{"text": {cell}, "label": "x"}}\n')
    with within(1, 50), pytest.raises(DataError, match="1 of 2 rows cannot be used:\n  line 2: "):
        read(tmp_path, "jsonl", "a.jsonl", **KEYS)


def linked_picture(folder: Path, attack: Attack) -> None:
    (folder / "dogs" / "theirs.png").symlink_to(attack.outside / "picture.png")


def linked_table(folder: Path, attack: Attack) -> None:
    (folder / "metadata.csv").symlink_to(attack.secret)


def named_picture(folder: Path, attack: Attack) -> None:
    (folder / "metadata.csv").write_text(f"file,label\ncats/a.png,x\n{attack.outside}/picture.png,y\n")


def climbing_picture(folder: Path, attack: Attack) -> None:
    (folder / "metadata.csv").write_text("file,label\ncats/a.png,x\n../../outside/picture.png,y\n")


def piped_picture(folder: Path, attack: Attack) -> None:
    os.mkfifo(folder / "dogs" / "pipe.png")


LINKS: dict[str, tuple[Callable[[Path, Attack], None], str]] = {
    "a linked picture": (linked_picture, "dogs/theirs.png: 'dogs/theirs.png' is outside the folder"),
    "a linked table": (linked_table, "pets/metadata.csv: 'metadata.csv' is outside the folder"),
    "a picture by its path": (named_picture, "is outside the folder"),
    "a picture above": (climbing_picture, "line 3: '../../outside/picture.png' is outside the folder"),
    "a pipe": (piped_picture, "dogs/pipe.png: 'dogs/pipe.png' is no file"),
}


@pytest.mark.parametrize("case", LINKS)
def test_no_picture_outside_a_folder_is_read(attack: Attack, case: str) -> None:
    whole = encode_picture(np.zeros((8, 8, 3), dtype=np.uint8))
    folder = attack.inside / "pets"
    for name in ("cats/a.png", "dogs/b.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(whole)
    (attack.outside / "picture.png").write_bytes(whole)
    (folder / "dogs" / "all").symlink_to(attack.outside)  # a folder of pictures: not gone into
    spoil, said = LINKS[case]
    spoil(folder, attack)
    with untouched(attack.outside), pytest.raises(DataError) as caught:
        read(attack.inside, "images", "pets")
    assert said in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("verb", ["validate", "plan", "run"])
@pytest.mark.parametrize("link", ["texts.csv", "pets", "tiny-bert"])
def test_a_spec_whose_links_lead_out_is_refused(
    attack: Attack, verb: str, link: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from harness.cli.main import run

    target = attack.outside if link != "texts.csv" else attack.secret
    (attack.inside / link).symlink_to(target)
    data = "{images: pets}" if link == "pets" else "{csv: texts.csv, text: text, label: label}"
    kind = "image-classification" if link == "pets" else "text-classification"
    (attack.inside / "a.yaml").write_text(
        f"version: 1\nname: a\ntasks:\n  mood:\n    type: {kind}\n    data: {data}\n"
        "backbones:\n  bert: {model: tiny-bert}\narms:\n  full: {}\n"
    )
    more = [] if verb == "validate" else ["--results", str(attack.inside / "results"), "--offline"]
    with untouched(attack.outside):
        assert run([verb, str(attack.inside / "a.yaml"), *more]) == 2
    said = capsys.readouterr().err
    assert f"is outside the spec's folder; allow it with --allow-path {attack.outside}" in said
    assert "the-canary" not in said


def test_a_spec_runs_no_module_of_its_folder(
    attack: Attack, tiny_bert: Path, harness: Callable[..., Watched], tmp_path: Path
) -> None:
    from tests.security.conftest import write_suite

    spec = write_suite(attack.inside, tiny_bert)
    for kind in ("readers", "tasks", "metrics", "methods", "targets"):
        (attack.inside / kind).mkdir()
        (attack.inside / kind / "csv.py").write_text(attack.code())
    for name in (
        "ruamel",
        "pydantic",
        "yaml",
        "csv",
        "typer",
        "harness_plugins",
        "sitecustomize",
        "usercustomize",
    ):
        (attack.inside / f"{name}.py").write_text(attack.code())
    with untouched(attack.outside):
        done = harness("validate", spec.name)
    assert done.code == 0, done.said
    assert not attack.marker.exists()
    assert done.outside(attack.inside, tmp_path / "cache", tmp_path / "notes.jsonl") == []
    assert done.ran() == []
    assert done.reached() == []
