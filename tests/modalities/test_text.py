"""Texts: pairs, nothing, too much, signs; decoders without padding."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from harness.errors import ModelError
from harness.learn.fit import fit_candidate
from harness.learn.loop import compute_logits
from harness.learn.work import open_scorer
from harness.modalities import text
from harness.spec.options import TaskOptions
from tests.learn.tiny import SEEDS, all_rows, build_source, make_candidate, make_job, open_tiny


def options(max_tokens: int | None = None) -> TaskOptions:
    return cast("TaskOptions", SimpleNamespace(max_tokens=max_tokens))


def test_a_pair_is_one_sequence_with_two_types(tiny_bert: Path) -> None:
    tokenizer = text.load_processor(tiny_bert, options(), ())
    encoded = text.encode(tokenizer, [("good film", "bad plot"), ("a", "b")])
    words = tokenizer.convert_ids_to_tokens(encoded.columns["input_ids"][0])
    assert words == ["[CLS]", "good", "film", "[SEP]", "bad", "plot", "[SEP]"]
    assert encoded.columns["token_type_ids"][0].tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert encoded.lengths.tolist() == [7, 5]


@pytest.mark.parametrize(("max_tokens", "length"), [(None, 32), (10, 10), (32, 32)])
def test_a_long_text_is_cut(tiny_bert: Path, max_tokens: int | None, length: int) -> None:
    tokenizer = text.load_processor(tiny_bert, options(max_tokens), ())
    encoded = text.encode(tokenizer, ["good " * 500, "good"])
    assert encoded.lengths.tolist() == [length, 3]
    pairs = text.encode(tokenizer, [("good " * 1000, "bad " * 1000)])
    assert pairs.lengths.tolist() == [length]
    assert set(pairs.columns["token_type_ids"][0].tolist()) == {0, 1}


def test_a_missing_tokenizer_is_refused_within_two_seconds_and_asks_nobody(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(tiny_bert, tmp_path / "bare"))
    for file in folder.glob("tokenizer*"):
        file.unlink()

    def refuse(*asked: object) -> None:
        raise AssertionError("a hub was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    began_s = time.monotonic()
    with pytest.raises(ModelError, match="bare: its tokenizer is missing, or knows no words: put"):
        text.load_processor(folder, options(), ())
    assert time.monotonic() - began_s < 2


def test_more_tokens_than_the_checkpoint_reads_are_refused(tiny_bert: Path) -> None:
    with pytest.raises(ModelError, match="max_tokens is 33, but tiny-bert reads at most 32 tokens"):
        text.load_processor(tiny_bert, options(33), ())


@pytest.mark.parametrize("odd", ["", " ", "\x00", "🙂" * 3, "e\u0301", "\u202egood", "\ud83d"])
def test_odd_texts_have_tokens(tiny_bert: Path, odd: str) -> None:
    tokenizer = text.load_processor(tiny_bert, options(), ())
    encoded = text.encode(tokenizer, [odd.encode("utf-8", "replace").decode(), "good"])
    assert encoded.lengths.min() >= 2
    batch = encoded.batch([0, 1])
    assert batch["input_ids"].shape == batch["attention_mask"].shape


def test_a_batch_is_filled_up_on_the_right(tiny_bert: Path) -> None:
    tokenizer = text.load_processor(tiny_bert, options(), ())
    batch = text.encode(tokenizer, ["good", "good film"]).batch([1, 0])
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert batch["input_ids"][1, 3] == tokenizer.pad_token_id


@pytest.fixture(scope="session")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_gpt2(tmp_path_factory.mktemp("checkpoints") / "tiny-gpt2")


def make_gpt2(folder: Path) -> Path:
    """Save a GPT-2 of two blocks without a token for padding, whose tokenizer makes nothing of an empty text."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2Model, PreTrainedTokenizerFast

    letters = ["<|endoftext|>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    plain = Tokenizer(models.BPE(vocab={letter: n for n, letter in enumerate(letters)}, merges=[]))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    PreTrainedTokenizerFast(
        tokenizer_object=plain, eos_token="<|endoftext|>", bos_token="<|endoftext|>", model_max_length=40
    ).save_pretrained(folder)
    config = GPT2Config(
        vocab_size=len(letters),
        n_embd=16,
        n_layer=2,
        n_head=2,
        n_positions=40,
        bos_token_id=0,
        eos_token_id=0,
    )
    _save(GPT2Model, config, folder)
    return folder


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory, gpt2: Path) -> Path:
    """A Llama of two blocks with the tokenizer of the other."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaModel

    folder = tmp_path_factory.mktemp("checkpoints") / "tiny-llama"
    tokenizer = AutoTokenizer.from_pretrained(gpt2)
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=24,
        max_position_embeddings=40,
    )
    _save(LlamaModel, config, folder)
    return folder


def _save(kind: Any, config: Any, folder: Path) -> None:
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(7)
        kind(config).save_pretrained(folder)


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_a_decoder_without_padding_trains_and_pads(
    request: pytest.FixtureRequest, name: str, text_csv: Path
) -> None:
    rows = text_csv.read_text().splitlines()
    rows[1] = ",neg,-1.0,author-0"  # an empty text, of which the tokenizer makes no token
    text_csv.write_text("\n".join(rows) + "\n")
    source = build_source(request, checkpoint=request.getfixturevalue(name))
    bench = open_tiny(source)
    assert bench.encoded.lengths.min() == 1
    alone, together = [], []
    with fit_candidate(bench, make_candidate(1), all_rows(bench), SEEDS) as fitted:
        together = compute_logits(bench.model, fitted.forward, all_rows(bench), bench.lengths)
        alone = [
            compute_logits(bench.model, fitted.forward, np.array([row]), bench.lengths)
            for row in all_rows(bench)
        ]
    np.testing.assert_allclose(np.concatenate(alone), together, rtol=0, atol=1e-5)
    assert bench.uses_shelf(1)
    scorer = open_scorer(source, 1)
    assert scorer(make_job(make_candidate(0))).state == "ok"
    assert scorer(make_job(None, arm="probe")).state == "ok"


def test_pairs_empty_and_long_texts_and_emoji_train(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    lines = ["one,two,label"]
    for row in range(24):
        word, label = ("good", "pos") if row % 2 else ("bad", "neg")
        lines.append(f"{word} {row},{['', '🙂🙃', 'film ' * 200, 'a'][row % 4]},{label}")
    (tmp_path / "pairs.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    data = {"csv": "pairs.csv", "text": ["one", "two"], "label": "label"}
    source = build_source(request, task={"data": data}, protocol={"folds": 2})
    scorer = open_scorer(source, 1)
    for job in (make_job(make_candidate(1)), make_job(None, arm="classical"), make_job(None, arm="generic")):
        assert scorer(job).state == "ok"


def test_a_text_run_imports_nothing_for_pictures_or_sounds(request: pytest.FixtureRequest) -> None:
    source = build_source(request)
    heavy = ("torchvision", "torchaudio", "timm", "torchcodec", "librosa", "datasets", "ray", "optuna")
    code = f"""
import json, sys
from pathlib import Path
from harness.candidate import build_candidate, resolve_space
from harness.learn.sources import Source
from harness.learn.work import open_scorer
from harness.record.scores import FoldJob
source = Source(spec_json=sys.stdin.read(), base=Path({str(source.base)!r}), cache=Path({str(source.cache)!r}))
candidate = build_candidate(resolve_space(source.spec().arms["full"], 2), {{}})
job = FoldJob(study="1", task="task", backbone="tiny", arm="full", kind="arm", trial=0, repeat=0, fold=0,
              candidate=candidate)
assert open_scorer(source, 1)(job).state == "ok"
print(json.dumps([name for name in {heavy!r} if name in sys.modules]))
"""
    spec = build_source(request, arms={"full": {"freeze_depth": 1, "epochs": 1}}).spec_json
    done = subprocess.run(
        [sys.executable, "-c", code], input=spec, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
