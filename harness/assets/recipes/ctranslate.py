"""Reads the variables of a CTranslate2 `model.bin`, version 6.

Little endian: u32 version, string specification, u32 revision, u32 count; for each variable a string name, u8
rank, u32 dimensions, u8 type, u32 bytes, data; then u32 aliases as pairs of strings. A string is its u16
length, the closing NUL included, and its bytes.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.errors import AssetError

VERSION = 6
TYPES = ("<f4", "i1", "<i2", "<i4", "<f2")


def read_variables(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return the floating-point variables by name, as float32; settings stored as integers are left out."""
    reader = _Reader(path.read_bytes())
    version = reader.number("I")
    if version != VERSION:
        raise AssetError(f"{path.name}: CTranslate2 version {version} instead of {VERSION}")
    reader.string()
    reader.number("I")
    variables: dict[str, NDArray[np.float32]] = {}
    for _ in range(reader.number("I")):
        name = reader.string()
        shape = [reader.number("I") for _ in range(reader.number("B"))]
        dtype = np.dtype(TYPES[reader.number("B")])
        values = np.frombuffer(reader.take(reader.number("I")), dtype).reshape(shape)
        if dtype.kind == "f":
            variables[name] = values.astype(np.float32)
    return variables


class _Reader:
    """A cursor over the file's bytes."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 0

    def take(self, count: int) -> bytes:
        part = self._content[self._position : self._position + count]
        if len(part) != count:
            raise AssetError(f"model.bin ends at byte {len(self._content)}, in the middle of a variable")
        self._position += count
        return part

    def number(self, code: str) -> int:
        return int(struct.unpack(f"<{code}", self.take(struct.calcsize(code)))[0])

    def string(self) -> str:
        return self.take(self.number("H"))[:-1].decode()
