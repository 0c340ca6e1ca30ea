"""What every reader does, whatever it reads."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

from harness import plugins
from harness.errors import AssetError, DataError
from harness.examples import Examples, Media
from harness.spec.options import FILES, DataOptions

HEAVY = (
    "torch",
    "transformers",
    "ray",
    "optuna",
    "sklearn",
    "pyarrow",
    "PIL",
    "soundfile",
    "soxr",
    "datasets",
)


@pytest.fixture(params=plugins.names("readers"))
def reader(request: pytest.FixtureRequest) -> ModuleType:
    module = plugins.find("readers", request.param)
    for package in getattr(module, "NEEDS", ()):
        pytest.importorskip(package)
    return module


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_ASSETS", str(make(tmp_path / "assets")))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if find_spec("datasets"):
        import datasets

        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hub" / "datasets")
        monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    return tmp_path


def read(reader: ModuleType, folder: Path) -> Examples:
    options, modality = reader.tiny(folder)
    examples: Examples = reader.read(options, base=folder, modality=modality)
    return examples


def test_a_reader_says_what_it_gives_and_names_its_source_by_its_own_key(reader: ModuleType) -> None:
    name = source_key(reader)
    assert issubclass(reader.Options, DataOptions)
    assert reader.Options.model_fields[name].is_required()
    assert reader.Options.model_fields[name].annotation is str
    assert set(reader.MODALITIES) <= {"text", "image", "audio"}
    assert isinstance(reader.COLUMNS, bool)


def test_ids_are_unique_and_sorted(reader: ModuleType, folder: Path) -> None:
    examples = read(reader, folder)
    assert len(set(examples.ids)) == len(examples) > 2
    assert list(examples.ids) == sorted(examples.ids)


def test_every_example_has_a_target_and_an_input_of_the_modality(reader: ModuleType, folder: Path) -> None:
    options, modality = reader.tiny(folder)
    examples = reader.read(options, base=folder, modality=modality)
    assert all(target != "" for target in examples.targets)
    for item in examples.inputs:
        assert isinstance(item, Media) == (modality != "text")
        if isinstance(item, Media):
            assert item.name
            assert item.read_bytes()


def test_reading_twice_gives_one_digest(reader: ModuleType, folder: Path) -> None:
    options, modality = reader.tiny(folder)
    first, second = (reader.read(options, base=folder, modality=modality) for _ in range(2))
    assert first == second
    assert first.digest() == second.digest()


def test_the_digest_does_not_depend_on_where_the_source_lies(reader: ModuleType, folder: Path) -> None:
    digest = read(reader, folder).digest()
    options, modality = reader.tiny(below := make(folder / "elsewhere"))
    if source_files(below):
        assert reader.read(options, base=below, modality=modality).digest() == digest


def test_the_digest_does_not_depend_on_the_order_of_rows(reader: ModuleType, folder: Path) -> None:
    options, modality = reader.tiny(folder)
    before = reader.read(options, base=folder, modality=modality)
    reverse_rows(folder)
    after = reader.read(options, base=folder, modality=modality)
    assert after.digest() == before.digest()
    assert after.ids == before.ids


def test_a_changed_byte_changes_the_digest_or_is_refused(reader: ModuleType, folder: Path) -> None:
    options, modality = reader.tiny(folder)
    before = reader.read(options, base=folder, modality=modality).digest()
    changed = 0
    for file in source_files(folder):
        data = file.read_bytes()
        for spot in content_bytes(data, file):
            replace_bytes(file, data[:spot] + bytes([data[spot] ^ 1]) + data[spot + 1 :])
            try:
                after = reader.read(options, base=folder, modality=modality).digest()
            except DataError:
                after = ""
            assert after != before, (file.name, spot)
            changed += 1
        replace_bytes(file, data)
    assert changed


def test_a_missing_source_is_an_error_that_names_it(reader: ModuleType, folder: Path) -> None:
    options, modality = reader.tiny(make(folder / "full"))
    with pytest.raises((DataError, AssetError), match=getattr(options, source_key(reader))):
        reader.read(options, base=make(folder / "bare"), modality=modality)


def test_sources_are_named_relative_to_the_spec(reader: ModuleType, folder: Path) -> None:
    options, _ = reader.tiny(folder)
    name = source_key(reader)
    assert not Path(getattr(options, name)).is_absolute()
    marked = FILES in reader.Options.model_fields[name].metadata
    assert marked == (folder / getattr(options, name)).exists()


def test_an_unknown_column_is_an_error_that_names_the_known_ones(reader: ModuleType, folder: Path) -> None:
    options, modality = reader.tiny(folder)
    with pytest.raises(DataError, match="group"):
        reader.read(options.model_copy(update={"group": "nowhere"}), base=folder, modality=modality)


def test_readers_are_light_until_they_read() -> None:
    code = (
        "import sys; from harness import plugins; "
        "[plugins.find('readers', name) for name in plugins.names('readers')]; "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def source_key(reader: ModuleType) -> str:
    return reader.__name__.rpartition(".")[2]


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


def source_files(folder: Path) -> list[Path]:
    """Return the files that hold examples."""
    kinds = (".arrow", ".csv", ".jsonl", ".parquet", ".png", ".tsv", ".wav")
    return sorted(path for path in folder.rglob("*") if path.suffix in kinds)


def replace_bytes(file: Path, data: bytes) -> None:
    """Write a new file in the place of another, which may be mapped into memory."""
    file.unlink()
    file.write_bytes(data)


def content_bytes(data: bytes, file: Path) -> list[int]:
    """Return places of bytes that are content: letters inside rows, samples, pixels; not headers and padding."""
    if file.suffix in (".arrow", ".parquet"):
        return [data.index(b"good") + 1]
    if file.suffix in (".wav", ".png"):
        return [len(data) // 2, len(data) - 40]
    begin = data.index(b"\n") if file.suffix != ".jsonl" else 0
    return [
        place
        for place in range(begin, len(data))
        if data[place] in b"aeio" and data[place - 1 : place] != b"\\"
    ]


def reverse_rows(folder: Path) -> None:
    """Turn the order of rows round in whatever holds rows."""
    for file in source_files(folder):
        if file.suffix in (".arrow", ".parquet"):
            reverse_table(file)
        elif file.suffix == ".jsonl" or file.name == "metadata.csv":
            lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
            head = [] if file.suffix == ".jsonl" else [lines.pop(0)]
            file.write_text("".join(head + lines[::-1]), encoding="utf-8")
        elif file.suffix in (".csv", ".tsv"):
            first, second, third, fourth, *rest = file.read_text(encoding="utf-8").splitlines(keepends=True)
            # lines 2 and 3 of the body are one row, which holds a line feed
            body = [second, third + fourth, *rest]
            file.write_text(first + "".join(body[::-1]), encoding="utf-8")


def reverse_table(file: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = pa.BufferOutputStream()
    if file.suffix == ".parquet":
        table = pq.read_table(file)
        pq.write_table(table.take(list(range(table.num_rows))[::-1]), buffer)
    else:
        table = pa.ipc.open_stream(file.read_bytes()).read_all()
        with pa.ipc.new_stream(buffer, table.schema) as writer:
            writer.write_table(table.take(list(range(table.num_rows))[::-1]))
    replace_bytes(file, buffer.getvalue().to_pybytes())
