"""The encoded bytes of a picture or a sound."""

from __future__ import annotations

from harness.errors import DataError
from harness.examples import Media


def read_media(media: Media, limit: int) -> bytes:
    """Return encoded bytes; raises `DataError` where there are none or more than `limit`."""
    try:
        if media.file is not None and media.file.exists() and not media.file.is_file():
            raise DataError(f"{media.name}: is no file")  # a pipe would never end
        size = media.file.stat().st_size if media.file is not None else len(media.data or b"")
        if size > limit:
            raise DataError(f"{media.name}: {size} bytes, more than {limit // 1_000_000} MB")
        if size == 0:
            raise DataError(f"{media.name}: holds 0 bytes")
        return media.read_bytes()
    except OSError as error:
        raise DataError(f"{media.name}: {(error.strerror or str(error)).lower()}") from None
