"""Write a first spec for somebody's own data."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from harness import spec
from harness.errors import SpecError
from harness.record.files import write_whole
from harness.scaffold.page import Names, slug, write_page
from harness.scaffold.sources import look_at

__all__ = ["Written", "write_spec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A spec that was written: its task, the task's type, and what its reader has to know before it runs."""

    file: Path
    task: str
    type: str
    examples: int
    allow_path: Path | None
    """The folder that `--allow-path` has to name, where the data lie outside the spec's folder."""

    def command(self) -> str:
        """Return the command that runs the spec."""
        allow = f" --allow-path {quote(str(self.allow_path))}" if self.allow_path else ""
        return f"harness run {quote(str(self.file))}{allow}"


def write_spec(spec_file: Path, *, data: Path, label: str | None = None, text: str | None = None) -> Written:
    """Write a commented spec that runs as it is; the file is whole, or is not there.

    `data` is a CSV, TSV, JSONL or Parquet file, or a folder of pictures or sounds: in one folder for each class, or
    described in its metadata.csv. Raises `SpecError` where `spec_file` exists, or where columns cannot be told by
    name and shape and a flag has to say which they are; `DataError` where the data cannot be used.
    """
    if spec_file.exists() or spec_file.is_symlink():
        raise SpecError(f"{spec_file}: exists already and is left as it is; choose another name")
    found = look_at(data, label=label, text=text)
    base, source = spec_file.parent.resolve(), data.resolve()
    outside = None
    if not source.is_relative_to(base):
        outside = source if source.is_dir() else source.parent
    names = Names(
        file=str(spec_file),
        suite=slug(data.resolve().stem),
        data=Path(os.path.relpath(source, base)).as_posix(),
        outside=outside,
    )
    schema = (Path(spec.__file__).parent / "spec-v1.json").as_uri()
    write_whole(spec_file, write_page(found, names, schema).encode())
    return Written(
        file=spec_file, task=names.suite, type=found.type, examples=len(found.examples), allow_path=outside
    )
