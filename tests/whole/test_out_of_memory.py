"""A real lack of memory on a CPU: a process under a limit on its address space fits what it can, and says so."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from tests.learn.tiny import build_source, make_candidate, make_job

pytestmark = [pytest.mark.whole, pytest.mark.faults]

# A child: the bench is opened, then the limit is set, then two folds are scored in the same process.
CHILD = """
import json, pickle, resource, sys
from pathlib import Path

source, jobs = pickle.loads(Path(sys.argv[1]).read_bytes())
room = int(sys.argv[2])
from harness.learn.work import _Scorer

scorer = _Scorer(source)
scorer._open("task", "tiny", lambda: None)
if room:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + room
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for job in jobs:
    score = scorer.score(job)
    given = [] if score.predictions is None else score.predictions.probabilities.tolist()
    print(json.dumps([score.state, score.error, score.micro_batch, score.steps, score.peak_rss_bytes, given]))
"""


@pytest.fixture
def wide_bert(tmp_path: Path, tiny_bert: Path) -> Path:
    """A BERT of two blocks whose weights take 5 MB and whose activations take 25 MB for one text."""
    folder = tmp_path / "wide-bert"
    folder.mkdir()
    for file in tiny_bert.iterdir():
        if file.suffix == ".json" and file.name != "config.json":
            (folder / file.name).write_bytes(file.read_bytes())
    settings = json.loads((folder / "tokenizer_config.json").read_text()) | {"model_max_length": 256}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    config = BertConfig(
        vocab_size=200, hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=4096,
        max_position_embeddings=256,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(7)
        BertModel(config).save_pretrained(folder)
    return folder


def score_in_child(given: Path, room: int) -> list[Any]:
    """Return what a child said of each job: state, error, micro-batch, steps, peak, probabilities."""
    run = subprocess.run(
        [sys.executable, "-c", CHILD, str(given), str(room)], capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_half_the_examples_at_once_fit_where_all_do_not(
    request: pytest.FixtureRequest, wide_bert: Path, tmp_path: Path
) -> None:
    (tmp_path / "wide.csv").write_text(
        "text,label\n" + "".join(f"{'good bad ' * 130}{row},{'ab'[row % 2]}\n" for row in range(48))
    )
    source = build_source(
        request, checkpoint=wide_bert, compute={"shelf": "off"},
        task={"data": {"csv": "wide.csv", "text": "text", "label": "label"}},
    )  # fmt: skip
    candidate = make_candidate(0, dropout=0.0, epochs=1, batch_size=32)
    given = tmp_path / "given.pickle"
    given.write_bytes(pickle.dumps((source, [make_job(candidate), make_job(candidate, fold=1)])))
    plain, tight = (score_in_child(given, room) for room in (0, 500 * 2**20))
    for whole, halved in zip(plain, tight, strict=True):  # the second fold begins anew with the whole batch
        assert whole[:3] == ["ok", None, None]
        assert halved[:2] == ["ok", None]
        assert halved[2] in (8, 16)
        assert halved[3] == whole[3]  # as many steps, of the same batches
        np.testing.assert_allclose(halved[5], whole[5], rtol=0, atol=1e-5)
        assert halved[4] < whole[4]
