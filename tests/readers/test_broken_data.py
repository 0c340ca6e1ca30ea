"""Broken sources, each with exactly what is said of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness import plugins
from harness.errors import DataError
from harness.examples import Examples
from harness.modalities.pictures import encode_picture
from harness.modalities.sounds import encode_sound

KEYS = {"text": "text", "label": "label"}
MEND = "  Mend them, or leave them out with `on_bad: drop`."


def read(folder: Path, reader: str, source: str, **keys: object) -> Examples:
    module = plugins.find("readers", reader)
    options = module.Options(**{reader: source, **keys})
    modality = {"images": "image", "sounds": "audio"}.get(reader, "text")
    examples: Examples = module.read(options, base=folder, modality=modality)
    return examples


def fault_of(folder: Path, reader: str, source: str, **keys: object) -> list[str]:
    with pytest.raises(DataError) as caught:
        read(folder, reader, source, **keys)
    assert caught.value.exit_code == 3
    return str(caught.value).splitlines()


CSV: dict[str, tuple[bytes, list[str]]] = {
    "empty": (b"", ["a.csv: the file is empty"]),
    "blank lines only": (b"\n\n  \n", ["a.csv: the file is empty"]),
    "a header and no rows": (b"text,label\n", ["a.csv: has a header and no rows"]),
    "Latin-1": (
        "text,label\nfine,a\ncafé,b\n".encode("latin-1"),
        [
            "a.csv: line 3, byte 21: 0xe9 is not UTF-8; it looks like latin-1 ('é'). "
            "Save it as UTF-8, or give `encoding: latin-1`."
        ],
    ),
    "the Windows alphabet": (
        "text,label\n“fine”,a\n".encode("cp1252"),
        [
            "a.csv: line 2, byte 11: 0x93 is not UTF-8; it looks like cp1252 ('“'). "
            "Save it as UTF-8, or give `encoding: cp1252`."
        ],
    ),
    "UTF-16 with its mark": (
        "text,label\nfine,a\n".encode("utf-16"),
        ["a.csv: is not UTF-8, it looks like utf-16; save it as UTF-8, or give `encoding: utf-16`"],
    ),
    "UTF-16 without a mark": (
        "text,label\nfine,a\n".encode("utf-16-be"),
        ["a.csv: is not UTF-8, it looks like utf-16-be; save it as UTF-8, or give `encoding: utf-16-be`"],
    ),
    "cut inside a letter": (
        "text,label\nfine,é".encode()[:-1],
        [
            "a.csv: line 2, byte 16: 0xc3 is not UTF-8; the file ends in the middle of a letter, is it cut short?"
        ],
    ),
    "a NUL": (
        b"text,label\nfine,a\nb\0d,b\n",
        ["a.csv: line 3, byte 19: a NUL, which no text holds; is this a text file?"],
    ),
    "ragged rows": (
        b"text,label\nfine,a\nbad, b, c\n\nalone\n",
        [
            "a.csv: 2 of 3 rows cannot be used:",
            "  line 3: holds 3 values, and the header 2",
            "  line 5: holds 1 values, and the header 2",
            MEND,
        ],
    ),
    "semicolons": (
        b"text;label\nfine;a\n",
        ["a.csv: line 1: 'text;label' is separated by semicolons, not by commas; save the file with commas"],
    ),
    "tabs": (
        b"text\tlabel\nfine\ta\n",
        ["a.csv: line 1: 'text\\tlabel' is separated by tabs, not by commas; read it with `tsv:`"],
    ),
    "no header": (
        b"fine,a\nbad,b\n",
        [
            "a.csv: has no column 'text' (text). Its columns: 'fine', 'a'. Is the first row, the header, missing?"
        ],
    ),
    "a column misspelt": (
        b"text,lable\nfine,a\n",
        ["a.csv: has no column 'label' (label). Did you mean 'lable'? Its columns: 'text', 'lable'."],
    ),
    "a column twice": (b"text,label,text\nfine,a,b\n", ["a.csv: line 1: the column 'text' is named twice"]),
    "a bare carriage return": (
        b"text,label\nfine,a\nb\rad,b\n",
        [
            "a.csv: line 3: a carriage return that ends no line; put the value in quotes, "
            "or save the file with plain line ends"
        ],
    ),
    "a quotation mark never closed": (
        b'text,label\nfine,a\n"bad,b\nmore,c\n',
        ["a.csv: line 3: a quotation mark that is never closed"],
    ),
    "a quotation mark inside quotes": (
        b'text,label\nfine,a\n"a "good" one",b\n',
        ["a.csv: line 3: a closing quotation mark followed by more; inside a value write the mark twice"],
    ),
    "labels missing": (
        b"text,label\nfine,a\nbad,\nso,  \n",
        [
            "a.csv: 2 of 3 rows cannot be used:",
            "  line 3: no label in column 'label'",
            "  line 4: no label in column 'label'",
            MEND,
        ],
    ),
    "many labels missing": (
        b"text,label\n" + b"bad,\n" * 30,
        [
            "a.csv: 30 of 30 rows cannot be used, the first 10 of them:",
            *(f"  line {line}: no label in column 'label'" for line in range(2, 12)),
            MEND,
        ],
    ),
    "lines counted through quoted line ends": (
        b'text,label\n"fine\nand\nlong",a\nbad,\n',
        ["a.csv: 1 of 2 rows cannot be used:", "  line 5: no label in column 'label'", MEND],
    ),
}


@pytest.mark.parametrize("case", CSV)
def test_a_broken_csv_is_refused_where_it_is_broken(tmp_path: Path, case: str) -> None:
    data, said = CSV[case]
    (tmp_path / "a.csv").write_bytes(data)
    assert fault_of(tmp_path, "csv", "a.csv", **KEYS) == said


COLUMNS: dict[str, tuple[str, dict[str, str], list[str]]] = {
    "ids twice": (
        "text,label,n\na,x,1\nb,x,2\nc,x,1\n",
        {"id": "n"},
        ["a.csv: 1 ids in column 'n' name more than one row:", "  '1': line 2, line 4"],
    ),
    "an id missing": (
        "text,label,n\na,x,1\nb,x,\n",
        {"id": "n"},
        ["a.csv: 1 of 2 rows cannot be used:", "  line 3: nothing in column 'n'", MEND],
    ),
    "a group missing": (
        "text,label,who\na,x,ann\nb,x,\n",
        {"group": "who"},
        ["a.csv: 1 of 2 rows cannot be used:", "  line 3: nothing in column 'who'", MEND],
    ),
    "weights of all kinds": (
        "text,label,w\na,x,1\nb,x,-1\nc,x,nan\nd,x,inf\ne,x,heavy\nf,x,\n",
        {"weight": "w"},
        [
            "a.csv: 5 of 6 rows cannot be used:",
            "  line 3: '-1', which is no weight of 0 or more, in column 'w'",
            "  line 4: 'nan', which is no weight of 0 or more, in column 'w'",
            "  line 5: 'inf', which is no weight of 0 or more, in column 'w'",
            "  line 6: 'heavy', which is no weight of 0 or more, in column 'w'",
            "  line 7: no weight in column 'w'",
            MEND,
        ],
    ),
    "weights of 0": (
        "text,label,w\na,x,0\nb,x,0.0\n",
        {"weight": "w"},
        ["a.csv: all weights in column 'w' are 0"],
    ),
}


@pytest.mark.parametrize("case", COLUMNS)
def test_a_broken_column_is_refused_where_it_is_broken(tmp_path: Path, case: str) -> None:
    text, keys, said = COLUMNS[case]
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    assert fault_of(tmp_path, "csv", "a.csv", **KEYS, **keys) == said


JSONL: dict[str, tuple[str, list[str]]] = {
    "one list": ('[{"text": "a"}]', ["a.jsonl: is one JSON list; write one object a line instead"]),
    "rows of all kinds": (
        "\n".join(
            (
                '{"text": "a", "label": "x"}',
                '{"text": "a", "label": }',
                "[1]",
                '{"text": "a", "text": "b", "label": "x"}',
                '{"text": null, "label": "x"}',
                '{"text": 5, "label": "x"}',
                '{"text": "\\ud800", "label": "x"}',
                '{"text": "a"}',
                '{"text": "a", "label": NaN}',
                '{"text": "a", "label": ["x"]}',
                '{"text": "a", "label": ' + "[" * 100_000,
            )
        ),
        [
            "a.jsonl: 10 of 11 rows cannot be used:",
            "  line 2: no JSON at column 24: Expecting value",
            "  line 3: no object, but [1]",
            "  line 4: the key 'text' is repeated",
            "  line 5: no text in column 'text'",
            "  line 6: 5, which is no text, in column 'text'",
            "  line 7: half of a surrogate pair, which is no letter, in column 'text'",
            "  line 8: no label in column 'label'",
            "  line 9: no label in column 'label'",
            "  line 10: ['x'], which is no label, in column 'label'",
            "  line 11: nested too deep",
            MEND,
        ],
    ),
    "words beside numbers": (
        '{"text": "a", "label": "1"}\n{"text": "b", "label": 1}\n',
        [
            "a.jsonl: the column 'label' mixes words and numbers: line 1 holds '1', line 2 holds 1; "
            "write all of them alike"
        ],
    ),
}


@pytest.mark.parametrize("case", JSONL)
def test_a_broken_jsonl_is_refused_where_it_is_broken(tmp_path: Path, case: str) -> None:
    text, said = JSONL[case]
    (tmp_path / "a.jsonl").write_text(text, encoding="utf-8")
    assert fault_of(tmp_path, "jsonl", "a.jsonl", **KEYS) == said


def test_half_a_parquet_file_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"] * 100, "label": ["x"] * 100}), tmp_path / "a.parquet")
    data = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(data[: len(data) // 2])
    (said,) = fault_of(tmp_path, "parquet", "a.parquet", **KEYS)
    assert said.startswith("a.parquet: is no whole Parquet file: Parquet magic bytes not found in footer")


def test_a_parquet_file_that_holds_too_much_is_refused_by_its_footer(tmp_path: Path) -> None:
    rows = pa.array(["x"], pa.string()).dictionary_encode()
    many = pa.DictionaryArray.from_arrays(pa.array(np.zeros(21_000_000, dtype=np.int8)), rows.dictionary)
    pq.write_table(pa.table({"text": many}), tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 100_000
    (said,) = fault_of(tmp_path, "parquet", "a.parquet", **KEYS)
    assert said.startswith("a.parquet: promises 21000000 rows in ")


def test_bad_pictures_are_named_all_at_once(tmp_path: Path) -> None:
    whole = encode_picture(np.zeros((8, 8, 3), dtype=np.uint8))
    for name, data in (
        ("cats/a.png", whole),
        ("cats/b.png", whole[:-4]),
        ("dogs/c.jpg", b"hello"),
        ("dogs/d.png", b""),
    ):
        (tmp_path / "pets" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pets" / name).write_bytes(data)
    assert fault_of(tmp_path, "images", "pets") == [
        "pets: 3 of 4 rows cannot be used:",
        "  cats/b.png: the picture is damaged or cut short (its end is missing)",
        "  dogs/c.jpg: is no picture in the formats PNG, JPEG, GIF, BMP, WEBP, TIFF",
        "  dogs/d.png: holds 0 bytes",
        MEND,
    ]
    examples = read(tmp_path, "images", "pets", on_bad="drop")
    assert len(examples) == 1
    assert examples.notes[0].startswith("pets: dropped 3 of 4 rows: cats/b.png: the picture is damaged")


def test_bad_sounds_are_named_all_at_once(tmp_path: Path) -> None:
    whole = encode_sound(np.zeros(800), rate=8000)
    folder = tmp_path / "clips"
    folder.mkdir()
    (folder / "a.wav").write_bytes(whole)
    (folder / "b.wav").write_bytes(whole[:-400])
    (folder / "c.wav").write_text("hello", encoding="utf-8")
    rows = "file,label\na.wav,x\nb.wav,x\nc.wav,y\nd.wav,y\n../e.wav,y\n,y\n"
    (folder / "metadata.csv").write_text(rows, encoding="utf-8")
    assert fault_of(tmp_path, "sounds", "clips") == [
        "clips/metadata.csv: 5 of 6 rows cannot be used:",
        "  line 3 ('b.wav'): 400 bytes are missing that the header promises; the file is cut short",
        "  line 4 ('c.wav'): is no sound that can be read (Format not recognised)",
        "  line 5: 'd.wav': no such file",
        "  line 6: '../e.wav' is outside the folder",
        "  line 7: names no file",
        MEND,
    ]


def test_a_folder_that_holds_no_classes_says_what_is_expected(tmp_path: Path) -> None:
    folder = tmp_path / "pets"
    assert fault_of(tmp_path, "images", "pets") == ["pets: no such folder"]
    folder.mkdir()
    assert fault_of(tmp_path, "images", "pets") == [
        "pets: holds no file that ends in .png, .jpg, .jpeg, .gif, .bmp, .webp, .tif, .tiff in a folder of its class"
    ]
    (folder / "a.png").write_bytes(encode_picture(np.zeros((2, 2, 3), dtype=np.uint8)))
    assert fault_of(tmp_path, "images", "pets") == [
        "pets: 'a.png' lies in no class; put files into one folder for each class, or describe them in metadata.csv"
    ]
    assert fault_of(tmp_path, "images", "pets", group="owner") == [
        "pets: has no metadata.csv, so that `group` names no column; leave it out or write one"
    ]


def test_a_parquet_file_without_pictures_says_where_they_are_looked_for(tmp_path: Path) -> None:
    pq.write_table(pa.table({"file": ["a"], "label": ["x"]}), tmp_path / "a.parquet")
    module = plugins.find("readers", "parquet")
    with pytest.raises(DataError) as caught:
        module.read(module.Options(parquet="a.parquet", label="label"), base=tmp_path, modality="image")
    assert str(caught.value) == "a.parquet: has no column of encoded image data; it is to be called 'image'"


def test_a_picture_in_a_table_is_refused_with_its_row(tmp_path: Path) -> None:
    whole = encode_picture(np.zeros((2, 2, 3), dtype=np.uint8))
    cells = [{"bytes": whole, "path": "a.png"}, {"bytes": whole[:-8], "path": None}, None]
    pq.write_table(pa.table({"image": cells, "label": [0, 1, 1]}), tmp_path / "a.parquet")
    module = plugins.find("readers", "parquet")
    with pytest.raises(DataError) as caught:
        module.read(module.Options(parquet="a.parquet", label="label"), base=tmp_path, modality="image")
    assert str(caught.value).splitlines() == [
        "a.parquet: 2 of 3 rows cannot be used:",
        "  row 2: the picture is damaged or cut short (its end is missing)",
        "  row 3: nothing in column 'image'",
        MEND,
    ]


def test_nothing_is_left_after_dropping(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "a"}), encoding="utf-8")
    said = fault_of(tmp_path, "jsonl", "a.jsonl", text="text", label="text", group="text", id="nowhere")
    assert said == ["a.jsonl: has no column 'nowhere' (id). Its columns: 'text'."]
    (tmp_path / "b.csv").write_text("text,label\na,\n", encoding="utf-8")
    assert fault_of(tmp_path, "csv", "b.csv", **KEYS, on_bad="drop") == [
        "b.csv: holds no row that can be used; 1 were dropped"
    ]
