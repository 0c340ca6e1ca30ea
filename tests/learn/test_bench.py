"""The bench: through the shelf or not, in whatever company, a row has the same logits."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.learn import loop
from harness.learn.bench import Bench
from harness.learn.fit import fit_candidate
from harness.learn.loop import Diverged, compute_logits
from harness.model.batch import call_logits
from tests.learn.tiny import MATERIALS, SEEDS, all_rows, build_source, make_candidate, open_tiny

CASES = [*((kind, None) for kind in MATERIALS), ("image-classification", "tiny_resnet")]


def open_with(
    request: pytest.FixtureRequest, kind: str, checkpoint: str | None, shelf: str, **compute: Any
) -> Bench:
    folder = None if checkpoint is None else request.getfixturevalue(checkpoint)
    return open_tiny(build_source(request, kind, checkpoint=folder, compute={"shelf": shelf} | compute))


def learn(bench: Bench, depth: int, **values: Any) -> np.ndarray:
    """Return the logits of all rows after a fit on two thirds of them."""
    rows = all_rows(bench)
    candidate = make_candidate(depth, bench.trunk.blocks, **values)
    with fit_candidate(bench, candidate, rows[rows % 3 > 0], SEEDS) as fitted:
        return compute_logits(bench.model, fitted.forward, rows, bench.lengths)


@pytest.mark.parametrize(("shelf", "tolerance"), [("float32", 1e-5), ("fp16", 2e-3)])
@pytest.mark.parametrize(("kind", "checkpoint"), CASES)
def test_the_shelf_changes_no_logit_at_any_depth(
    request: pytest.FixtureRequest, kind: str, checkpoint: str | None, shelf: str, tolerance: float
) -> None:
    """With dropout in the trained part: what is frozen must draw nothing, cut or whole."""
    plain = open_with(request, kind, checkpoint, "off")
    shelved = open_with(request, kind, checkpoint, shelf)
    assert not any(plain.uses_shelf(depth) for depth in plain.depths)
    for depth in range(plain.trunk.blocks + 1):
        assert shelved.uses_shelf(depth) == (depth > 0 or kind == "audio-classification")
        expected, found = (learn(bench, depth, dropout=0.1) for bench in (plain, shelved))
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
        if shelf == "float32" and plain.labels:
            assert np.array_equal(found.argmax(axis=1), expected.argmax(axis=1))
        assert shelved.on_shelf(depth) == shelved.uses_shelf(depth)


@pytest.mark.parametrize("kind", MATERIALS)
def test_an_eviction_changes_no_number(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> None:
    bench = open_with(request, kind, None, "float32")
    before = learn(bench, 1)
    shutil.rmtree(tmp_path / "cache")
    assert np.array_equal(learn(bench, 1), before), "what is mapped outlives its file"
    assert np.array_equal(learn(open_with(request, kind, None, "float32"), 1), before)


def test_what_is_too_large_for_the_shelf_never_uses_it(request: pytest.FixtureRequest) -> None:
    roomy = open_with(request, "text-classification", None, "float32")
    bytes_needed = int(roomy.lengths.sum()) * 16 * 4
    for limit, used in ((bytes_needed, True), (bytes_needed - 1, False)):
        bench = open_with(request, "text-classification", None, "float32", shelf_bytes=limit)
        assert bench.uses_shelf(1) == used
        np.testing.assert_allclose(learn(bench, 1), learn(roomy, 1), rtol=0, atol=1e-5)


def test_a_fit_that_exploded_does_not_decide_about_the_shelf(request: pytest.FixtureRequest) -> None:
    bench = open_with(request, "text-classification", None, "float32")
    expected = learn(open_with(request, "text-classification", None, "float32"), 1)
    wild = replace(make_candidate(0), head_lr=1e30, backbone_lr=1e30)
    with pytest.raises(Diverged), fit_candidate(bench, wild, all_rows(bench), SEEDS):
        pass
    assert bench.uses_shelf(1)
    assert np.array_equal(learn(bench, 1), expected)


def test_finding_out_about_the_shelf_leaves_the_model_alone(request: pytest.FixtureRequest) -> None:
    bench = open_with(request, "text-classification", None, "float32")
    bench.reset(5)
    before = {name: tensor.clone() for name, tensor in bench.model.state_dict().items()}
    assert bench.uses_shelf(1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in bench.model.state_dict().items())


@pytest.mark.parametrize("shelf", ["float32", "off"])
@pytest.mark.parametrize(("kind", "checkpoint"), CASES)
def test_a_row_has_the_same_logits_in_any_company(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    checkpoint: str | None,
    shelf: str,
) -> None:
    """In batches of 1, of 7 with a last one that is not full, and all together."""
    bench = open_with(request, kind, checkpoint, shelf)
    rows = all_rows(bench)[:23]
    logits = []
    with fit_candidate(bench, make_candidate(1, bench.trunk.blocks), rows, SEEDS) as fitted:
        for size in (1, 7, 64):
            monkeypatch.setattr(loop, "EVALUATION_BATCH", size)
            logits.append(compute_logits(bench.model, fitted.forward, rows, bench.lengths))
    assert [len(part) for part in logits] == [23] * 3
    np.testing.assert_allclose(logits[0], logits[2], rtol=0, atol=1e-5)
    np.testing.assert_allclose(logits[1], logits[2], rtol=0, atol=1e-5)


def test_a_model_in_which_padding_leaks_does_not_use_the_shelf(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An FNet mixes all positions and knows no mask: padding, which the shelf drops, has a part in every logit."""
    from transformers import BertTokenizer, FNetConfig, FNetModel

    folder = tmp_path_factory.mktemp("fnet")
    tokenizer = BertTokenizer.from_pretrained(request.getfixturevalue("tiny_bert"))
    tokenizer.save_pretrained(folder)
    FNetModel(
        FNetConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            num_hidden_layers=2,
            intermediate_size=24,
            max_position_embeddings=32,
            pad_token_id=0,
        )
    ).save_pretrained(folder)
    bench = open_tiny(build_source(request, checkpoint=folder))
    assert len(set(bench.lengths.tolist())) > 1
    assert not bench.uses_shelf(1)
    assert bench.uses_shelf(2) is False


@pytest.mark.parametrize("kind", MATERIALS)
def test_bfloat16_trains_near_to_float32(request: pytest.FixtureRequest, kind: str) -> None:
    exact = learn(open_with(request, kind, None, "float32"), 1)
    rough = learn(open_with(request, kind, None, "float32", precision="bfloat16"), 1)
    assert not np.array_equal(rough, exact)
    np.testing.assert_allclose(rough, exact, rtol=0, atol=0.15)
    assert rough.dtype == np.float32


def test_the_whole_model_gives_what_the_forward_gives(request: pytest.FixtureRequest) -> None:
    bench = open_with(request, "text-classification", None, "float32")
    logits = learn(bench, 1)
    with torch.no_grad():
        whole = torch.cat([call_logits(bench.model, bench.batch(np.array([row]))) for row in all_rows(bench)])
    np.testing.assert_allclose(whole.numpy(), logits, rtol=0, atol=1e-5)
