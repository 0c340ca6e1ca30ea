"""Text files, decoded as the spec says and not otherwise."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from harness.errors import DataError
from harness.spec.words import escape, show


def _check_encoding(name: str) -> str:
    try:
        known = codecs.lookup(name)
        "a".encode(name)  # refuses what is no encoding of text, such as zip
    except (LookupError, ValueError):
        known = None
    if known is None:
        message = f"must be an encoding such as utf-8, latin-1, cp1252 or utf-16 (got {show(name)})"
        raise PydanticCustomError("value", "{message}", {"message": message})
    return known.name


Encoding = Annotated[str, AfterValidator(_check_encoding)]

BYTES = 1_000_000_000  # of one file, judged before it is read; in memory it takes five times as much


def read_bytes(path: Path, name: str) -> bytes:
    """Return a file's bytes; raises `DataError` where there is no such file or nothing in it."""
    if path.is_dir():
        raise DataError(f"{escape(name)}: is a folder, not a file")
    if path.exists() and not path.is_file():  # a pipe would never end
        raise DataError(f"{escape(name)}: is no file that can be read again")
    try:
        size = path.stat().st_size
        if size > BYTES:
            raise DataError(
                f"{escape(name)}: {size / 1e9:.1f} GB, more than {BYTES / 1e9:g} GB of text; "
                "keep the columns and rows that are learned from, or write them as Parquet"
            )
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{escape(name)}: {(error.strerror or str(error)).lower()}") from None
    if not data.strip():
        raise DataError(f"{escape(name)}: the file is empty")
    return data


def read_text(path: Path, name: str, encoding: str) -> str:
    """Return a file's text without a byte order mark; raises `DataError` with line and byte where it is no text."""
    data = read_bytes(path, name)
    utf8 = codecs.lookup(encoding).name == "utf-8"
    wide = _guess_wide(data) if utf8 else None
    if wide:
        raise DataError(
            f"{name}: is not UTF-8, it looks like {wide}; save it as UTF-8, or give `encoding: {wide}`"
        )
    try:
        text = data.decode("utf-8-sig" if utf8 else encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: {_explain(data, error, encoding)}") from None
    text = text.removeprefix("\ufeff")
    nul = text.find("\0")
    if nul >= 0:
        line = text.count("\n", 0, nul) + 1
        offset = len(text[:nul].encode(encoding, "surrogatepass"))
        raise DataError(
            f"{name}: line {line}, byte {offset}: a NUL, which no text holds; is this a text file?"
        )
    return text


def _guess_wide(data: bytes) -> str | None:
    """Return the name of a two- or four-byte encoding that these bytes look like."""
    marks = (
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    )
    for mark, name in marks:
        if data.startswith(mark):
            return name
    start = data[:200]
    if len(start) >= 4 and start[1::2].count(0) > 0.8 * len(start[1::2]) and not start[::2].count(0):
        return "utf-16-le"
    if len(start) >= 4 and start[::2].count(0) > 0.8 * len(start[::2]) and not start[1::2].count(0):
        return "utf-16-be"
    return None


def _explain(data: bytes, error: UnicodeDecodeError, encoding: str) -> str:
    line = data.count(b"\n", 0, error.start) + 1
    byte = data[error.start]
    where = f"line {line}, byte {error.start}: 0x{byte:02x} is not {encoding.upper()}"
    if codecs.lookup(encoding).name != "utf-8":
        return f"{where}; is `encoding: {encoding}` right?"
    if error.end == len(data) and "end of data" in error.reason:
        return f"{where}; the file ends in the middle of a letter, is it cut short?"
    guess = "cp1252" if any(0x80 <= other < 0xA0 for other in data) else "latin-1"
    letter = bytes([byte]).decode(guess, "replace")
    return (
        f"{where}; it looks like {guess} ('{escape(letter)}'). Save it as UTF-8, or give `encoding: {guess}`."
    )
