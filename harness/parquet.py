"""Rows of a Parquet file, refused where they would take more memory than any such file needs."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 20_000_000  # limits from the footer, before anything is read: 30 kB of Parquet can hold terabytes
BYTES = 16_000_000_000
UNPACKED = 4_000_000_000  # what any file may become in memory
RATIO = 50  # and how many times its own size; text comes to 10, a column of few classes is small anyway

SMALL = 1_000_000  # bytes: threads take 0.8 ms to start where reading takes 0.3, and a night has thousands of files

PAGE = resource.getpagesize()


class SizeError(ValueError):
    """A file promises or holds too much; says how much, and the limit."""


def read_parquet(source: Path | bytes, *, unpacked: int = UNPACKED) -> pa.Table:
    """Return all rows; raises `SizeError`, or what pyarrow raises for a file that is no whole Parquet file.

    A footer need not say the truth, and need not lie: a word of 1 MB that a million rows share takes 5 kB, and a
    terabyte as a plain column. So reading may take `unpacked` bytes, or 50 times the file's own size, and no more.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    allowance = min(BYTES, max(unpacked, RATIO * size))
    with pq.ParquetFile(pa.BufferReader(source) if isinstance(source, bytes) else source) as file:
        _refuse_footer(file.metadata)
        try:
            with _allotted(allowance):
                return file.read(use_threads=size > SMALL)
        except MemoryError:
            raise SizeError(
                f"{size} bytes that unpack to more than {allowance / 1e9:g} GB; that is too large"
            ) from None


def _refuse_footer(footer: pa.parquet.FileMetaData) -> None:
    size = sum(footer.row_group(number).total_byte_size for number in range(footer.num_row_groups))
    if footer.num_rows > ROWS:
        raise SizeError(f"promises {footer.num_rows} rows in {size} bytes, more than {ROWS} rows; split it")
    if size > BYTES:
        raise SizeError(
            f"promises {footer.num_rows} rows in {size} bytes, more than {BYTES / 1e9:g} GB; split it"
        )


@contextmanager
def _allotted(allowance: int) -> Iterator[None]:
    """Let this process take so much more memory, and no more; what is taken beyond is a MemoryError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    held = _held()
    if (
        held is None or soft != resource.RLIM_INFINITY
    ):  # macOS keeps no such limit; a limit of its user's holds
        yield
        return
    resource.setrlimit(resource.RLIMIT_AS, (held + allowance, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _held() -> int | None:
    """Return the bytes of address space that this process has, None where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * PAGE
    except OSError:
        return None
