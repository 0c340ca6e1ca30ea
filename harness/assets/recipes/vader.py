"""Texts of four domains, each rated for sentiment by twenty people or more, from -4 to 4.

C.J. Hutto and E. Gilbert, VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text,
ICWSM 2014. `rating` is their mean. Two labels are cut from it, and no row is dropped, so that regression and
classification see the same examples: `label` is "positive" from 0.5 upward and "other" below; `polarity` is
"positive" from 0.5, "negative" down from -0.5, "neutral" between. `group` is the document of a sentence where
documents are known (Amazon, NYT), elsewhere the text itself.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow.compute as pc

from harness.assets.recipes.rows import make_table, read_examples, write_examples

CORPUS = "hutto_ICWSM_2014.tar.gz"
THRESHOLD = 0.5
FILES = {
    "tweets": "tweets_GroundTruth.txt",
    "movies": "movieReviewSnippets_GroundTruth.txt",
    "amazon": "amazonReviewSnippets_GroundTruth.txt",
    "nyt": "nytEditorialSnippets_GroundTruth.txt",
}
GROUPED = ("amazon", "nyt")

Row = tuple[object, ...]


def build(sources: Mapping[str, Path], out: Path) -> None:
    """Write all four domains into one file, with a `domain` column."""
    with tarfile.open(sources[CORPUS]) as corpus:
        rows = [row for domain in FILES for row in _read_domain(corpus, domain)]
    columns = ("id", "text", "label", "polarity", "rating", "group", "domain")
    write_examples(make_table(rows, *columns), out)


def split_tweets(sources: Mapping[str, Path], out: Path) -> None:
    """Write the tweets alone."""
    _split(sources["vader"], "tweets", out)


def split_movies(sources: Mapping[str, Path], out: Path) -> None:
    """Write the snippets of film reviews alone."""
    _split(sources["vader"], "movies", out)


def split_amazon(sources: Mapping[str, Path], out: Path) -> None:
    """Write the sentences of Amazon reviews alone."""
    _split(sources["vader"], "amazon", out)


def split_nyt(sources: Mapping[str, Path], out: Path) -> None:
    """Write the sentences of New York Times editorials alone."""
    _split(sources["vader"], "nyt", out)


def _split(whole: Path, domain: str, out: Path) -> None:
    table = read_examples(whole)
    table = table.filter(pc.equal(table.column("domain"), domain))
    unused = ["domain"] if domain in GROUPED else ["domain", "group"]
    write_examples(table.drop_columns(unused), out)


def _read_domain(corpus: tarfile.TarFile, domain: str) -> Iterator[Row]:
    file = corpus.extractfile(f"hutto_ICWSM_2014/{FILES[domain]}")
    assert file is not None
    for line in io.TextIOWrapper(file, encoding="utf-8"):
        number, mean, text = line.rstrip("\n").split("\t")
        rating = float(mean)
        name = f"{domain}-{number}"
        group = name.rpartition("_")[0] if domain in GROUPED else name
        label = "positive" if rating >= THRESHOLD else "other"
        yield name, text, label, _polarity(rating), rating, group, domain


def _polarity(rating: float) -> str:
    if rating >= THRESHOLD:
        return "positive"
    return "negative" if rating <= -THRESHOLD else "neutral"
