"""Decode pictures, all of them or none."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from harness.errors import DataError
from harness.examples import Media
from harness.modalities.media import read_media

PIXELS = 64_000_000  # of one picture; a 31 kB PNG can hold 256 million
BYTES = 200_000_000
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")  # others are rare, and EPS would start Ghostscript
SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff")

_PNG_END = b"IEND\xaeB`\x82"


def decode_picture(media: Media) -> np.ndarray:
    """Return a picture's pixels, (height, width, 3) uint8, upright.

    16 bits are scaled to 8, what is transparent becomes white, of an animation it is the first frame. Raises
    `DataError` where the picture is no picture, larger than 64 megapixels or not whole.
    """
    with _opened(media) as image:
        upright = ImageOps.exif_transpose(image)
        return np.array(_to_colours(upright))  # (height, width, 3)


def audit_picture(media: Media) -> None:
    """Raise `DataError` where a picture could not be decoded."""
    with _opened(media) as image:
        image.draft("RGB", (1, 1))  # JPEG: read all of it, but transform an eighth
        image.load()
        _refuse_mode(image)


def encode_picture(pixels: np.ndarray) -> bytes:
    """Return pixels, (height, width, 3) or (height, width) uint8, as a PNG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@contextmanager
def _opened(media: Media) -> Iterator[Image.Image]:
    """Open a picture whose size is fit to be decoded; what Pillow raises meanwhile becomes a `DataError`."""
    data = read_media(media, BYTES)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow: large pictures, odd EXIF data; both are judged here
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                width, height = image.size
                if width * height > PIXELS:
                    raise DataError(
                        f"{media.name}: {width} x {height} pixels, more than {PIXELS // 1_000_000} megapixels"
                    )
                _refuse_end(data, image.format or "")
                yield image
    except UnidentifiedImageError:
        raise DataError(f"{media.name}: is no picture in the formats {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise DataError(f"{media.name}: more than {PIXELS // 1_000_000} megapixels") from None
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        IndexError,
        KeyError,
        TypeError,
        struct.error,
    ) as error:
        # Pillow's decoders raise all of these for bytes that are not as they should be.
        raise DataError(f"{media.name}: the picture is damaged or cut short ({_first_line(error)})") from None


def _refuse_end(data: bytes, kind: str) -> None:
    """Raise `ValueError` where the last bytes are missing, which the decoders do not miss."""
    if kind == "PNG" and _PNG_END not in data[-1024:]:
        raise ValueError("its end is missing")
    if kind == "JPEG" and b"\xff\xd9" not in data[-1024:]:
        raise ValueError("its end is missing")
    if kind == "GIF" and b";" not in data[-1024:].rstrip(b"\0")[-1:]:
        raise ValueError("its end is missing")
    if kind == "WEBP" and len(data) < int.from_bytes(data[4:8], "little") + 8:
        raise ValueError("its end is missing")
    if kind == "BMP" and len(data) < int.from_bytes(data[2:6], "little"):
        raise ValueError("its end is missing")


def _to_colours(image: Image.Image) -> Image.Image:
    _refuse_mode(image)
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        colours = image.convert("RGBA")
        white = Image.new("RGBA", colours.size, "white")
        return Image.alpha_composite(white, colours).convert("RGB")
    return image.convert("RGB")


def _refuse_mode(image: Image.Image) -> None:
    if image.mode == "F":
        raise ValueError("its pixels are fractions, whose range is not known")
    if image.mode == "I" and image.getextrema()[1] > 0xFFFF:  # type: ignore[operator]  # one band, so a pair of numbers
        raise ValueError("its pixels have 32 bits, whose range is not known")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:100]
