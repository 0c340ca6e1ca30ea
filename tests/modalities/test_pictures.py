"""Pictures: golden pixels of every kind, and every kind cut short."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.errors import DataError
from harness.examples import Media
from harness.modalities.pictures import audit_picture, decode_picture, encode_picture

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> Media:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return Media(data=file.getvalue(), name=f"a.{kind.lower()}")


def pixels_of(image: Image.Image, kind: str = "PNG", **options: object) -> list[list[tuple[int, ...]]]:
    media = encode(image, kind, **options)
    audit_picture(media)
    pixels = decode_picture(media)
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    return [[tuple(int(value) for value in pixel) for pixel in row] for row in pixels]


def quarters() -> Image.Image:
    """Return red and green over blue and white, two pixels wide and two high."""
    return Image.fromarray(np.array([[RED, GREEN], [BLUE, WHITE]], dtype=np.uint8))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF"])
def test_plain_colours_come_back_as_they_were(kind: str) -> None:
    assert pixels_of(quarters(), kind) == [[RED, GREEN], [BLUE, WHITE]]


def test_lossless_webp_comes_back_as_it_was() -> None:
    assert pixels_of(quarters(), "WEBP", lossless=True) == [[RED, GREEN], [BLUE, WHITE]]


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, [[RED, GREEN], [BLUE, WHITE]]),
        (2, [[GREEN, RED], [WHITE, BLUE]]),
        (3, [[WHITE, BLUE], [GREEN, RED]]),
        (4, [[BLUE, WHITE], [RED, GREEN]]),
        (5, [[RED, BLUE], [GREEN, WHITE]]),
        (6, [[BLUE, RED], [WHITE, GREEN]]),
        (7, [[WHITE, GREEN], [BLUE, RED]]),
        (8, [[GREEN, WHITE], [RED, BLUE]]),
    ],
)
def test_a_camera_s_orientation_is_applied(orientation: int, expected: list[list[tuple[int, ...]]]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert pixels_of(quarters(), exif=exif.tobytes()) == expected


def test_damaged_camera_data_is_no_fault() -> None:
    assert decode_picture(encode(quarters(), exif=b"Exif\0\0MM\0*\xff\xff\xff\xff\xff")).shape == (2, 2, 3)


def test_grey_is_grey() -> None:
    assert pixels_of(Image.new("L", (1, 1), 77)) == [[(77, 77, 77)]]


def test_black_and_white_is_black_and_white() -> None:
    assert pixels_of(Image.new("1", (1, 1), 1)) == [[WHITE]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize(("deep", "shallow"), [(0, 0), (257, 1), (32768, 128), (65535, 255)])
def test_16_bits_are_scaled_to_8(kind: str, deep: int, shallow: int) -> None:
    image = Image.fromarray(np.full((1, 2), deep, dtype=np.uint16))
    assert pixels_of(image, kind) == [[(shallow,) * 3] * 2]


def test_16_bit_colours_are_scaled_to_8() -> None:
    row = b"\0" + struct.pack(">6H", 65535, 0, 32768, 0, 257, 65535)
    assert decode_picture(Media(data=png(2, 1, depth=16, colour=2, rows=row), name="a.png")).tolist() == [
        [[255, 0, 128], [0, 1, 255]]
    ]


def test_what_is_transparent_lies_on_white() -> None:
    image = Image.fromarray(np.array([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 128]]], dtype=np.uint8))
    assert pixels_of(image) == [[RED, WHITE, (127, 127, 127)]]


def test_a_grey_picture_s_transparency_lies_on_white() -> None:
    assert pixels_of(Image.fromarray(np.array([[[0, 0], [9, 255]]], dtype=np.uint8), "LA")) == [
        [WHITE, (9, 9, 9)]
    ]


def test_a_palette_is_looked_up_and_its_transparency_lies_on_white() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putdata([0, 1])
    assert pixels_of(image) == [[RED, BLUE]]
    assert pixels_of(image, transparency=1) == [[RED, WHITE]]


def test_a_transparent_colour_lies_on_white() -> None:
    assert pixels_of(quarters(), transparency=RED) == [[WHITE, GREEN], [BLUE, WHITE]]


def test_four_inks_become_three_colours() -> None:
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    assert np.allclose(decode_picture(encode(image, "TIFF")), RED, atol=1)
    assert np.allclose(decode_picture(encode(image, "JPEG", quality=100)), RED, atol=3)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF"])
def test_of_an_animation_it_is_the_first_frame(kind: str) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, BLUE)]
    options = {"lossless": True} if kind == "WEBP" else {}
    media = encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert (decode_picture(media) == RED).all()


def test_what_is_encoded_comes_back() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    assert (decode_picture(Media(data=encode_picture(pixels), name="a.png")) == pixels).all()


def test_a_file_is_read_like_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode(quarters()).read_bytes())
    assert decode_picture(Media(file=tmp_path / "a.png", name="a.png")).shape == (2, 2, 3)


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"lossless": True}, {"compression": "tiff_lzw"}]
)
@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture_cut_anywhere_is_refused(kind: str, options: dict[str, object]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), kind, **options).read_bytes()
    for length in range(len(data)):
        media = Media(data=data[:length], name="a")
        for decode in (decode_picture, audit_picture):
            with pytest.raises(DataError):
                decode(media)


def test_a_picture_of_one_colour_cut_by_a_few_bytes_is_refused() -> None:
    for kind in FORMATS:
        data = encode(Image.new("RGB", (64, 64), RED), kind).read_bytes()
        for cut in (1, 2, 4, 8, 12):
            with pytest.raises(DataError, match=r"a: the picture is damaged or cut short"):
                audit_picture(Media(data=data[:-cut], name="a"))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "a: holds 0 bytes"),
        (b"hello", "a: is no picture in the formats PNG, JPEG, GIF, BMP, WEBP, TIFF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "a: is no picture in the formats PNG, JPEG, GIF, BMP, WEBP, TIFF"),
    ],
)
def test_what_is_no_picture_is_refused(data: bytes, said: str) -> None:
    for decode in (decode_picture, audit_picture):
        with pytest.raises(DataError) as caught:
            decode(Media(data=data, name="a"))
        assert str(caught.value) == said


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.png: no such file or directory"):
        decode_picture(Media(file=tmp_path / "a.png", name="a.png"))


@pytest.mark.parametrize(
    ("width", "height", "said"),
    [
        (16_000, 16_000, "16000 x 16000 pixels, more than 64 megapixels"),
        (8_000, 9_000, "8000 x 9000 pixels, more"),
    ],
)
def test_a_picture_too_large_is_refused_by_its_header(width: int, height: int, said: str) -> None:
    bomb = Media(data=png(width, height, depth=8, colour=2, rows=b""), name="bomb.png")
    with pytest.raises(DataError, match="megapixels") as caught:
        decode_picture(bomb)
    assert said in str(caught.value) or width * height > 2 * 89_000_000


def test_fractions_and_32_bits_are_refused() -> None:
    for array, words in (
        (np.ones((1, 1), np.float32), "fractions"),
        (np.full((1, 1), 70_000, np.int32), "32 bits"),
    ):
        for decode in (decode_picture, audit_picture):
            with pytest.raises(DataError, match=words):
                decode(encode(Image.fromarray(array), "TIFF"))


def png(width: int, height: int, *, depth: int, colour: int, rows: bytes) -> bytes:
    """Return a PNG made by hand, of colour type 2: red, green and blue."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body
