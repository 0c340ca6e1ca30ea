"""A first spec for somebody's own data: it is right, it explains itself, or it says what to decide."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.errors import DataError, SpecError
from harness.modalities.pictures import encode_picture
from harness.modalities.sounds import encode_sound
from harness.scaffold import Written, write_spec
from harness.spec.load import load_spec
from harness.spec.models import Spec
from harness.spec.options import DataOptions

WORDS = ["the", "plot", "of", "this", "film", "is", "good", "bad", "long", "short", "fine", "and", "so", "on"]

Cells = Sequence[object]


def texts(rows: int) -> list[str]:
    return [
        " ".join(WORDS[(row * step) % len(WORDS)] for step in range(1, 7)) + f" {row}" for row in range(rows)
    ]


def labels(rows: int, *names: object) -> list[object]:
    return [names[row % len(names)] for row in range(rows)]


def write_csv(path: Path, /, **columns: Cells) -> Path:
    separator = "\t" if path.suffix == ".tsv" else ","
    lines = [
        separator.join(columns),
        *(separator.join(map(str, row)) for row in zip(*columns.values(), strict=True)),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_jsonl(path: Path, **columns: Cells) -> Path:
    rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_parquet(path: Path, **columns: Cells) -> Path:
    pq.write_table(pa.table({name: list(cells) for name, cells in columns.items()}), path)
    return path


def write_media(folder: Path, names: Iterable[str]) -> Path:
    import numpy as np

    for number, name in enumerate(names):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".png":
            file.write_bytes(encode_picture(np.full((4, 4, 3), number, dtype=np.uint8)))
        else:
            file.write_bytes(encode_sound(np.sin(np.arange(400) / (2 + number)) / 2, rate=8000))
    return folder


def init(data: Path, **flags: str) -> tuple[Written, Spec]:
    written = write_spec(data.parent / "my.yaml", data=data, **flags)
    return written, load_spec(written.file)


def columns_of(data: DataOptions) -> dict[str, object]:
    keys = ("text", "label", "id", "group", "on_bad", "take")
    return {key: value for key in keys if (value := getattr(data, key)) not in (None, "error")}


def test_a_table_of_texts_becomes_a_spec_that_names_its_columns(tmp_path: Path) -> None:
    data = write_csv(
        tmp_path / "Our Reviews.csv", number=range(60), text=texts(60), label=labels(60, "pos", "neg")
    )
    written, spec = init(data)
    task = spec.tasks["our-reviews"]
    assert (written.task, written.type, written.examples) == ("our-reviews", "text-classification", 60)
    assert task.type == "text-classification"
    assert columns_of(task.data) == {"text": "text", "label": "label"}
    assert list(spec.arms) == ["head-only", "depth", "full"]
    assert spec.backbones["minilm"].model == "asset:minilm-l6"
    assert written.command() == f"harness run {written.file}"


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("rows.csv", write_csv),
        ("rows.tsv", write_csv),
        ("rows.jsonl", write_jsonl),
        ("rows.parquet", write_parquet),
    ],
)
def test_every_kind_of_table_is_read(tmp_path: Path, name: str, write: Callable[..., Path]) -> None:
    data = write(tmp_path / name, sentence=texts(40), sentiment=labels(40, "up", "down"))
    _, spec = init(data)
    options = spec.tasks["rows"].data
    assert getattr(options, name.rpartition(".")[2]) == name
    assert columns_of(options) == {"text": "sentence", "label": "sentiment"}


def test_columns_without_telling_names_are_told_by_their_shape(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "rows.csv", a=labels(60, "x", "y", "z"), b=texts(60), c=range(60))
    assert columns_of(init(data)[1].tasks["rows"].data) == {"text": "b", "label": "a"}


def test_pairs_of_texts_are_known_by_their_names(tmp_path: Path) -> None:
    data = write_csv(
        tmp_path / "nli.csv", premise=texts(40), hypothesis=texts(40)[::-1], label=labels(40, "yes", "no")
    )
    assert columns_of(init(data)[1].tasks["nli"].data)["text"] == ("premise", "hypothesis")


def test_a_label_of_many_numbers_is_a_regression(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "rows.csv", text=texts(60), rating=[row / 7 for row in range(60)])
    written, spec = init(data)
    assert written.type == spec.tasks["rows"].type == "text-regression"
    assert spec.tasks["rows"].metric == "pearson"
    assert "majority" not in spec.baselines  # a constant has no correlation


@pytest.mark.parametrize("rating", [(1, 2, 3, 4, 5), (0, 1)])
def test_a_few_whole_numbers_are_classes(tmp_path: Path, rating: tuple[int, ...]) -> None:
    data = write_csv(tmp_path / "rows.csv", text=texts(60), rating=labels(60, *rating))
    assert init(data)[0].type == "text-classification"


def test_flags_decide_what_names_and_shapes_do_not(tmp_path: Path) -> None:
    data = write_csv(
        tmp_path / "rows.csv",
        text=texts(60),
        other=texts(60),
        label=labels(60, "a", "b"),
        topic=labels(60, 1, 2),
    )
    spec = init(data, label="topic", text="other")[1]
    assert columns_of(spec.tasks["rows"].data) == {"text": "other", "label": "topic"}


@pytest.mark.parametrize(
    ("columns", "flag"),
    [
        ({"left": texts(40), "right": texts(40), "label": labels(40, "a", "b")}, "--text"),
        ({"text": texts(40), "topic": labels(40, "a", "b"), "sentiment": labels(40, "c", "d")}, "--label"),
        ({"text": texts(40), "more": texts(40)}, "--label"),
        ({"n": range(40), "label": labels(40, "a", "b")}, "--text"),
    ],
)
def test_an_undecided_column_is_asked_for_with_all_columns_listed(
    tmp_path: Path, columns: dict[str, Cells], flag: str
) -> None:
    data = write_csv(tmp_path / "rows.csv", **columns)
    with pytest.raises(SpecError) as refused:
        init(data)
    assert flag in str(refused.value)
    assert all(f"\n  {name}" in str(refused.value) for name in columns)
    assert not (tmp_path / "my.yaml").exists()


def test_a_flag_that_names_no_column_is_refused_with_the_nearest(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "rows.csv", text=texts(40), label=labels(40, "a", "b"))
    with pytest.raises(SpecError, match=r"--label: rows.csv has no column 'lable'. Did you mean 'label'"):
        init(data, label="lable")


@pytest.mark.parametrize(
    ("label", "says"),
    [
        (["same"] * 40, "holds one value alone"),
        (texts(40), "40 different values in 40 rows"),
    ],
)
def test_a_label_that_nothing_can_be_learned_from_is_refused(tmp_path: Path, label: Cells, says: str) -> None:
    data = write_csv(tmp_path / "rows.csv", text=texts(40), label=label)
    with pytest.raises(SpecError, match=says):
        init(data, label="label")


def test_a_class_of_one_example_is_refused_by_name(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "rows.csv", text=texts(40), label=[*labels(39, "a", "b"), "alone"])
    with pytest.raises(DataError, match="no example of 'alone'"):
        init(data)


def test_a_column_of_authors_groups_the_folds(tmp_path: Path) -> None:
    authors = [f"ann-{row % 12}" for row in range(60)]
    data = write_csv(
        tmp_path / "rows.csv", text=texts(60), label=labels(60, "a", "b", "b", "a", "b"), author=authors
    )
    assert columns_of(init(data)[1].tasks["rows"].data)["group"] == "author"


def test_authors_too_few_for_the_folds_are_only_mentioned(tmp_path: Path) -> None:
    data = write_csv(
        tmp_path / "rows.csv", text=texts(60), label=labels(60, "a", "b"), author=labels(60, "x", "y", "z")
    )
    written, spec = init(data)
    assert "group" not in columns_of(spec.tasks["rows"].data)
    assert "# group: author" in written.file.read_text()


def test_a_column_that_looks_like_an_author_is_only_mentioned(tmp_path: Path) -> None:
    codes = [f"c{row % 25}" for row in range(60)]
    data = write_csv(tmp_path / "rows.csv", text=texts(60), label=labels(60, "a", "b"), code=codes)
    written, spec = init(data)
    assert "group" not in columns_of(spec.tasks["rows"].data)
    assert "# group: code" in written.file.read_text()


def test_rows_that_cannot_be_used_are_dropped_and_said_to_be(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "rows.csv", text=texts(40), label=[*labels(38, "a", "b"), "", ""])
    written, spec = init(data)
    assert spec.tasks["rows"].data.on_bad == "drop"
    assert "dropped 2 of 40 rows" in written.file.read_text()
    assert written.examples == 38


def test_many_rows_are_sampled_for_a_first_answer(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "rows.csv", text=texts(2500), label=labels(2500, "a", "b"))
    written, spec = init(data)
    assert spec.tasks["rows"].data.take == 1000
    assert "of 2500" in written.file.read_text()


def test_all_rows_are_taken_where_a_sample_would_lose_a_class(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "rows.csv", text=texts(2500), label=[*labels(2498, "a", "b"), "rare", "rare"])
    assert "take" not in columns_of(init(data)[1].tasks["rows"].data)


def test_uneven_classes_are_measured_by_macro_f1(tmp_path: Path) -> None:
    uneven = write_csv(tmp_path / "uneven.csv", text=texts(60), label=labels(60, *"aaaaaaaabc"))
    assert init(uneven)[1].tasks["uneven"].metric == "macro-f1"


def test_a_folder_of_pictures_has_a_class_a_folder(tmp_path: Path) -> None:
    data = write_media(tmp_path / "pets", [f"{kind}/{n}.png" for kind in ("cat", "dog") for n in range(6)])
    written, spec = init(data)
    assert written.type == "image-classification"
    assert spec.backbones["efficientnet"].model == "asset:efficientnet-lite0"
    assert spec.tasks["pets"].data.model_dump(exclude_none=True) == {"images": "pets", "on_bad": "error"}


def test_a_folder_of_sounds_with_a_table_takes_its_columns(tmp_path: Path) -> None:
    names = [f"{n}.wav" for n in range(12)]
    data = write_media(tmp_path / "clips", names)
    write_csv(data / "metadata.csv", file=names, word=labels(12, "yes", "no"), speaker=labels(12, *"abcde"))
    written, spec = init(data)
    assert written.type == "audio-classification"
    assert spec.backbones["whisper"].model == "asset:whisper-tiny.en"
    assert columns_of(spec.tasks["clips"].data) == {"label": "word", "group": "speaker"}
    assert spec.tasks["clips"].model_dump()["clip_seconds"] == 1


def test_a_few_long_clips_do_not_set_the_length_of_all(tmp_path: Path) -> None:
    import numpy as np

    data = write_media(tmp_path / "clips", [f"{kind}/{n}.wav" for kind in ("low", "high") for n in range(20)])
    (data / "low" / "long.wav").write_bytes(encode_sound(np.zeros(8000 * 45), rate=8000))
    (data / "low" / "broken.wav").write_bytes(b"RIFF")
    assert init(data)[1].tasks["clips"].model_dump()["clip_seconds"] == 1


def test_encoded_pictures_in_parquet_are_pictures(tmp_path: Path) -> None:
    import numpy as np

    cells = [encode_picture(np.full((4, 4, 3), n, dtype=np.uint8)) for n in range(12)]
    data = write_parquet(tmp_path / "rows.parquet", image=cells, label=labels(12, "a", "b"))
    assert init(data)[0].type == "image-classification"


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (
            ["train/cat/1.png", "test/cat/2.png"],
            r"one folder for each class; give one of them, as in --data .*train",
        ),
        (["1.png", "2.png"], "lies in no class"),
        ([], "neither pictures nor sounds"),
    ],
)
def test_a_folder_that_is_no_data_set_is_refused_with_what_to_do(
    tmp_path: Path, names: list[str], says: str
) -> None:
    (tmp_path / "stuff").mkdir()
    with pytest.raises((SpecError, DataError), match=says):
        init(write_media(tmp_path / "stuff", names))


@pytest.mark.parametrize("flags", [{"label": "kind"}, {"text": "kind"}])
def test_a_flag_without_meaning_is_refused(tmp_path: Path, flags: dict[str, str]) -> None:
    data = write_media(tmp_path / "pets", [f"{kind}/{n}.png" for kind in ("cat", "dog") for n in range(3)])
    with pytest.raises(SpecError, match="--"):
        init(data, **flags)


@pytest.mark.parametrize("name", ["rows.xlsx", "absent.csv"])
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "rows.xlsx").write_bytes(b"PK")
    with pytest.raises(SpecError, match="--data"):
        init(tmp_path / name)


def test_a_file_that_exists_is_left_as_it_is(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "rows.csv", text=texts(40), label=labels(40, "a", "b"))
    (tmp_path / "my.yaml").write_text("mine")
    with pytest.raises(SpecError, match="exists already"):
        init(data)
    assert (tmp_path / "my.yaml").read_text() == "mine"


def test_data_outside_the_specs_folder_are_reached_by_a_relative_path_and_a_flag(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    data = write_csv(tmp_path / "data" / "rows.csv", text=texts(40), label=labels(40, "a", "b"))
    written = write_spec(tmp_path / "specs" / "my.yaml", data=data)
    assert written.allow_path == data.parent
    assert f"--allow-path {data.parent}" in written.command()
    assert f"--allow-path {data.parent}" in written.file.read_text()
    with pytest.raises(SpecError, match="--allow-path"):
        load_spec(written.file)
    spec = load_spec(written.file, allowed=[data.parent])
    assert spec.tasks["rows"].data.model_dump()["csv"] == "../data/rows.csv"


@pytest.mark.parametrize("column", ["null", "a: b # c", 'say "x"', "no", "näme 😀", "1e3", "- x", "tab\tin"])
def test_columns_of_any_name_come_through_yaml(tmp_path: Path, column: str) -> None:
    data = write_jsonl(tmp_path / "rows.jsonl", text=texts(40), **{column: labels(40, "a\n#b", "c: {d")})
    assert columns_of(init(data, label=column)[1].tasks["rows"].data)["label"] == column


def test_writing_a_spec_imports_nothing_heavy(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "rows.csv", text=texts(40), label=labels(40, "a", "b"))
    code = (
        "import sys; from pathlib import Path; from harness.scaffold import write_spec;"
        f"write_spec(Path({str(tmp_path / 'my.yaml')!r}), data=Path({str(data)!r}));"
        "print([name for name in ('torch', 'transformers', 'ray', 'optuna', 'sklearn') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
